import { monotonicNs } from "./libc.ts";

/** A reading that was interrupted is off by that long; the quickest of some was not. */
const readings = 8;

let offset: number | undefined;

/**
 * What the clock that all processes of this host share shows, less `Bun.nanoseconds` of this
 * process, in nanoseconds; exact to a microsecond or so. It stays the same for the whole life of the
 * process: both are the monotonic clock. Where that cannot be read (not Linux), the shared clock is
 * the time of day, as it was when the process started.
 */
export function sharedClockOffsetNs(): number {
  return offset ??= measure();
}

function measure(): number {
  let quickestNs = Infinity;
  let found = NaN;
  for (let i = 0; i < readings; i++) {
    const beforeNs = Bun.nanoseconds();
    const sharedNs = monotonicNs();
    const afterNs = Bun.nanoseconds();
    if (afterNs - beforeNs >= quickestNs) continue;
    quickestNs = afterNs - beforeNs;
    found = sharedNs - (beforeNs + afterNs) / 2;
  }
  return Number.isNaN(found) ? performance.timeOrigin * 1e6 : found;
}
