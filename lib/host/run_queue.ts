import { readFileSync } from "node:fs";

/**
 * How long the main thread has been ready to run while other threads had the CPU, in nanoseconds
 * since it started: the second field of `/proc/self/schedstat` (Documentation/scheduler/
 * sched-stats.rst of Linux). It tells a generator that was late for want of CPU from one that was
 * busy itself.
 *
 * @returns NaN where the kernel does not tell.
 */
export function runQueueWaitNs(): number {
  try {
    return parseSchedstat(readFileSync("/proc/self/schedstat", "latin1"));
  } catch {
    return NaN;
  }
}

/** The waiting time in the text of a schedstat file; NaN where it is not of that form. */
export function parseSchedstat(text: string): number {
  const match = /^\d+ (\d+) \d+\s*$/.exec(text);
  return match === null ? NaN : Number(match[1]);
}
