import process from "node:process";
import { exitCodes } from "../errors.ts";
import { workerCommand } from "../workers/command.ts";
import { main, reportError } from "./main.ts";
import { abortOnSignals } from "./signals.ts";
import { Terminal } from "./terminal.ts";
import { catchUnhandled, writeLine } from "./unhandled_errors.ts";
import { startWorker } from "./worker.ts";

/** Some terminals say that they have 0 columns. */
const unknownWidth = 80;

/**
 * Runs this process as the command line and ends it with the exit code.
 *
 * @param prefix arguments to put before the process's own: the name of a subcommand.
 */
export async function start(...prefix: readonly string[]): Promise<never> {
  const argv = [...prefix, ...process.argv.slice(2)];
  if (argv[0] === workerCommand && process.send !== undefined) return await startWorker();
  const terminal = new Terminal({
    isTerminal: process.stderr.isTTY === true && process.env.TERM !== "dumb",
    columns: () => process.stderr.columns || unknownWidth,
  });
  const interruption = abortOnSignals((name) => {
    if (terminal.isTerminal) terminal.note(`${name}: ending with a report; again: at once`);
  });
  const unhandled = catchUnhandled(() => interruption.abort());
  const exitCode = await main(argv, process.env, terminal, interruption.signal);
  await terminal.finish();
  if (terminal.failure !== undefined) {
    process.exit(reportError(terminal.failure, process.env, writeLine));
  }
  // Whatever still holds the event loop open must not keep a finished command alive.
  process.exit(unhandled.count > 0 ? exitCodes.internal : exitCode);
}
