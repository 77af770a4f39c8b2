import { UsageError } from "../errors.ts";

/** A part of a schedule in which the rate is level or changes evenly. */
export interface ScheduleSegment {
  /** Only the last segment may be infinite. */
  readonly durationNs: number;
  /** Messages per second at its start, not below 0. */
  readonly startRatePerSecond: number;
  /** By how much the rate changes each second. The rate stops falling at 0. */
  readonly slopePerSecond2: number;
}

/** What `Arrivals` needs of a segment; rates do not fall below 0 in here. */
export interface PlannedSegment {
  readonly startNs: number;
  readonly durationNs: number;
  readonly ratePerSecond: number;
  readonly slopePerSecond2: number;
  /** How many messages are planned before it. */
  readonly countBefore: number;
  /** How many messages are planned in it. Infinity where it never ends and has a rate. */
  readonly count: number;
}

/**
 * The rate of messages over time, from the start of the plan (0 ns) to `durationNs`. Segments are
 * half-open: at a border the next one holds, and at the end the rate is 0.
 */
export class Schedule {
  readonly planned: readonly PlannedSegment[];
  /** Infinity where the last segment is infinite. */
  readonly durationNs: number;
  /** The highest rate; Infinity where an infinite segment rises. */
  readonly peakRatePerSecond: number;

  /** @throws {UsageError} a segment that cannot be, or an infinite one before the last. */
  constructor(readonly segments: readonly ScheduleSegment[]) {
    const planned: PlannedSegment[] = [];
    let startNs = 0;
    let countBefore = 0;
    const add = (durationNs: number, ratePerSecond: number, slopePerSecond2: number) => {
      const count = countOf(ratePerSecond, slopePerSecond2, durationNs);
      planned.push({ startNs, durationNs, ratePerSecond, slopePerSecond2, countBefore, count });
      startNs += durationNs;
      countBefore = nearInteger(countBefore + count);
    };
    for (const [index, segment] of segments.entries()) {
      check(segment, index, segments.length);
      const { durationNs, startRatePerSecond: rate, slopePerSecond2: slope } = segment;
      const fallNs = slope < 0 ? (rate / -slope) * 1e9 : Infinity;
      if (durationNs === 0) continue;
      if (fallNs < durationNs) {
        if (fallNs > 0) add(fallNs, rate, slope);
        add(durationNs - fallNs, 0, 0);
      } else {
        add(durationNs, rate, slope);
      }
    }
    this.planned = planned;
    this.durationNs = startNs;
    this.peakRatePerSecond = planned.reduce((peak, segment) => {
      const { ratePerSecond: rate, slopePerSecond2: slope, durationNs } = segment;
      return Math.max(peak, rate, slope > 0 ? rate + slope * (durationNs / 1e9) : 0);
    }, 0);
  }

  /** Messages per second at `ns`; 0 before the start and from the end on. */
  rateAt(ns: number): number {
    const segment = this.planned.findLast((one) => one.startNs <= ns);
    if (segment === undefined || !(ns < segment.startNs + segment.durationNs)) return 0;
    const seconds = (ns - segment.startNs) / 1e9;
    return Math.max(0, segment.ratePerSecond + segment.slopePerSecond2 * seconds);
  }

  /** How many messages the plan holds in [fromNs, toNs): the integral of the rate. */
  expectedCount(fromNs: number, toNs: number): number {
    return toNs > fromNs ? this.countUntil(toNs) - this.countUntil(fromNs) : 0;
  }

  private countUntil(ns: number): number {
    const segment = this.planned.findLast((one) => one.startNs <= ns);
    if (segment === undefined) return 0;
    const { startNs, durationNs, ratePerSecond, slopePerSecond2, countBefore } = segment;
    const partNs = Math.min(ns - startNs, durationNs);
    return countBefore + countOf(ratePerSecond, slopePerSecond2, partNs);
  }
}

/** A level rate from the start on, for ever unless a duration is given. */
export function constantSchedule(ratePerSecond: number, durationNs = Infinity): Schedule {
  return new Schedule([{ durationNs, startRatePerSecond: ratePerSecond, slopePerSecond2: 0 }]);
}

/** The rate at the end of a segment, where a slope that follows begins. */
export function endRatePerSecond(segment: ScheduleSegment): number {
  const { durationNs, startRatePerSecond, slopePerSecond2 } = segment;
  if (slopePerSecond2 === 0) return startRatePerSecond;
  return Math.max(0, startRatePerSecond + slopePerSecond2 * (durationNs / 1e9));
}

function countOf(ratePerSecond: number, slopePerSecond2: number, durationNs: number): number {
  const level = ratePerSecond === 0 ? 0 : (ratePerSecond * durationNs) / 1e9;
  if (slopePerSecond2 === 0) return nearInteger(level);
  const seconds = durationNs / 1e9;
  return nearInteger(level + (slopePerSecond2 * seconds * seconds) / 2);
}

/**
 * Undoes rounding in a count that should be whole: 0.3 s at 10/s are 3 messages, and not a fourth
 * one at the very end because 2.9999999999999996 fell short.
 */
function nearInteger(count: number): number {
  const whole = Math.round(count);
  return Math.abs(count - whole) <= Math.abs(count) * 2 ** -48 ? whole : count;
}

function check(segment: ScheduleSegment, index: number, segments: number): void {
  const { durationNs, startRatePerSecond, slopePerSecond2 } = segment;
  const name = `segment ${index + 1} of the schedule`;
  if (!(durationNs >= 0)) {
    throw new UsageError(`${name} lasts ${durationNs} ns; a duration is 0 or more`);
  }
  if (durationNs === Infinity && index < segments - 1) {
    throw new UsageError(`${name} never ends, and another follows; only the last can be infinite`);
  }
  if (!(startRatePerSecond >= 0 && startRatePerSecond < Infinity)) {
    throw new UsageError(`${name} starts at ${startRatePerSecond}/s; a rate is 0 or more`);
  }
  if (!Number.isFinite(slopePerSecond2)) {
    throw new UsageError(`${name} has a slope of ${slopePerSecond2}/s each second; give a number`);
  }
}
