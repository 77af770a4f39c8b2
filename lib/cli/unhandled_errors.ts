import { writeSync } from "node:fs";
import process from "node:process";
import { reportError } from "./main.ts";

/** After an unhandled error the run gets this long to report what was measured until then. */
const lastWordsMs = 10_000;

/**
 * Keeps an error that nothing handled from ending the process with a trace and without a report:
 * the first one is reported as the bug that it is and `abort` is called, so that the run ends. More
 * of them (a handler can fail for every message) are only counted.
 */
export function catchUnhandled(abort: () => void): { readonly count: number } {
  const unhandled = { count: 0 };
  const onError = (error: unknown) => {
    unhandled.count++;
    if (unhandled.count > 1) return;
    const exitCode = reportError(error, process.env, writeLine);
    setTimeout(() => process.exit(exitCode), lastWordsMs).unref();
    abort();
  };
  process.on("uncaughtException", onError);
  process.on("unhandledRejection", onError);
  return unhandled;
}

/** Writes to stderr without waiting, for the moments before an exit. */
export function writeLine(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // Nobody reads; there is no other place to say it.
  }
}
