import process from "node:process";
import { exitCodes } from "../errors.ts";

/**
 * SIGINT and SIGTERM abort the returned signal, so that the command can end with its report; the
 * second of them ends the process at once.
 *
 * @param announce called with the first one's name.
 */
export function abortOnSignals(announce: (name: string) => void): AbortController {
  const controller = new AbortController();
  let isSecond = false;
  const interrupt = (name: string) => {
    if (isSecond) process.exit(exitCodes.interrupted);
    isSecond = true;
    announce(name);
    controller.abort();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  return controller;
}
