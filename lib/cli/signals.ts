import process from "node:process";
import { exitCodes } from "../errors.ts";

/** Nobody presses a key twice in this time; `timeout` of coreutils sends its signal twice so. */
const sameSignalMs = 50;

/**
 * SIGINT and SIGTERM abort the returned signal, so that the command can end with its report; the
 * second of them ends the process at once.
 *
 * @param announce called with the first one's name.
 */
export function abortOnSignals(announce: (name: string) => void): AbortController {
  const controller = new AbortController();
  let first: { readonly name: string; readonly atMs: number } | undefined;
  const interrupt = (name: string) => {
    if (first !== undefined) {
      if (name === first.name && performance.now() - first.atMs < sameSignalMs) return;
      process.exit(exitCodes.interrupted);
    }
    first = { name, atMs: performance.now() };
    announce(name);
    controller.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return controller;
}
