import { closeSync, openSync } from "node:fs";
import { devNull } from "node:os";
import { fdLimits } from "../host/libc.ts";
import { codeOf } from "./native_failure.ts";

/** Descriptors that a listener leaves free, for accepting (and refusing), files and reports. */
const reservedFds = 100;

/**
 * The first descriptor number that a connection may not have. The kernel hands out the lowest free
 * number, so a socket at or above it says that nearly all are in use, whatever they are used for.
 */
export function fdCeiling(): number {
  const { soft } = fdLimits();
  return soft === Infinity ? Infinity : soft - Math.min(reservedFds, Math.floor(soft / 4));
}

/**
 * Whether the process or the host is out of descriptors, by opening one; 5 µs. The runtime reports
 * EMFILE of socket(2) as ECONNREFUSED.
 */
export function isOutOfFds(): boolean {
  try {
    closeSync(openSync(devNull, "r"));
    return false;
  } catch (error) {
    return codeOf(error) === "EMFILE" || codeOf(error) === "ENFILE";
  }
}
