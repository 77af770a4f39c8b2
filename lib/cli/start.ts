import { writeSync } from "node:fs";
import process from "node:process";
import { exitCodes } from "../errors.ts";
import { main, reportError } from "./main.ts";
import { abortOnSignals } from "./signals.ts";
import { Terminal } from "./terminal.ts";

/** Some terminals say that they have 0 columns. */
const unknownWidth = 80;

/** After an unexpected error the run gets this long to report what was measured until then. */
const lastWordsMs = 10_000;

/**
 * Runs this process as the command line and ends it with the exit code.
 *
 * @param prefix arguments to put before the process's own: the name of a subcommand.
 */
export async function start(...prefix: readonly string[]): Promise<never> {
  const terminal = new Terminal({
    isTerminal: process.stderr.isTTY === true && process.env.TERM !== "dumb",
    columns: () => process.stderr.columns || unknownWidth,
  });
  const interruption = abortOnSignals((name) => {
    if (terminal.isTerminal) terminal.note(`${name}: ending with a report; again: at once`);
  });
  const bugs = catchBugs(() => interruption.abort());
  const argv = [...prefix, ...process.argv.slice(2)];
  const exitCode = await main(argv, process.env, terminal, interruption.signal);
  await terminal.finish();
  if (terminal.failure !== undefined) {
    process.exit(reportError(terminal.failure, process.env, writeLine));
  }
  // Whatever still holds the event loop open must not keep a finished command alive.
  process.exit(bugs.count > 0 ? exitCodes.internal : exitCode);
}

/** Reports the first error that nothing handled and lets the run end; it may fail many times. */
function catchBugs(abort: () => void): { readonly count: number } {
  const bugs = { count: 0 };
  const onError = (error: unknown) => {
    bugs.count++;
    if (bugs.count > 1) return;
    const exitCode = reportError(error, process.env, writeLine);
    setTimeout(() => process.exit(exitCode), lastWordsMs).unref();
    abort();
  };
  process.on("uncaughtException", onError);
  process.on("unhandledRejection", onError);
  return bugs;
}

/** Writes to stderr without waiting, for the moments before an exit. */
function writeLine(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // Nobody reads; there is no other place to say it.
  }
}
