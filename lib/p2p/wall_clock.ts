import { realtimeNs } from "../host/libc.ts";
import { nowNs as monotonicNs } from "../stats/clock.ts";

/** A reading that was interrupted is off by that long; the quickest of some was not. */
const readings = 8;

/** NTP slews by 500 parts per million at most (adjtimex(2)); twice that is no slewing any more. */
const slewing = 1e-3;

/** What readings may be off by, beside slewing. */
const readingErrorNs = 100e3;

/**
 * The real-time clock as the monotonic clock and an anchor: cheap to read, and without steps between
 * two calls of `anchor`, which is to be called about once a second. It shows nanoseconds since a
 * whole second since 1970, because those since 1970 do not fit into a double.
 */
export class WallClock {
  /** Steps of the real-time clock, beyond what slewing explains. */
  readonly steps = { count: 0, lastNs: 0 };

  /** Wall clock less monotonic clock. */
  private offsetNs: number;
  private anchoredNs: number;

  constructor(
    readonly originSeconds: number,
    private readonly readRealtime: (originSeconds: number) => number = realtime,
    private readonly readMonotonic: () => number = monotonicNs,
  ) {
    this.offsetNs = this.measure();
    this.anchoredNs = this.readMonotonic();
  }

  /** Now, in nanoseconds since the origin. */
  nowNs(): number {
    return this.readMonotonic() + this.offsetNs;
  }

  /** What this clock shows at an instant of the monotonic one. */
  atMonotonic(ns: number): number {
    return ns + this.offsetNs;
  }

  /** When, by the monotonic clock, this one shows an instant. */
  toMonotonic(wallNs: number): number {
    return wallNs - this.offsetNs;
  }

  /** Reads the real-time clock again; about 5 µs. */
  anchor(): void {
    const offsetNs = this.measure();
    const atNs = this.readMonotonic();
    const changeNs = offsetNs - this.offsetNs;
    if (Math.abs(changeNs) > readingErrorNs + slewing * (atNs - this.anchoredNs)) {
      this.steps.count++;
      this.steps.lastNs = changeNs;
    }
    this.offsetNs = offsetNs;
    this.anchoredNs = atNs;
  }

  private measure(): number {
    let quickestNs = Infinity;
    let found = NaN;
    for (let i = 0; i < readings; i++) {
      const beforeNs = this.readMonotonic();
      const wallNs = this.readRealtime(this.originSeconds);
      const afterNs = this.readMonotonic();
      if (afterNs - beforeNs >= quickestNs) continue;
      quickestNs = afterNs - beforeNs;
      found = wallNs - (beforeNs + afterNs) / 2;
    }
    return found;
  }
}

/** Where the system's clock cannot be read to the nanosecond, to the millisecond. */
function realtime(originSeconds: number): number {
  const ns = realtimeNs(originSeconds);
  return Number.isNaN(ns) ? (Date.now() - originSeconds * 1000) * 1e6 : ns;
}
