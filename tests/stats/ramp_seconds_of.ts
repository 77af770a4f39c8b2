/** Seconds of a ramp, made up. */
import { Histogram } from "../../lib/stats/histogram.ts";
import type { RampSecond } from "../../lib/stats/ramp.ts";

export interface MadeSecond extends Partial<Omit<RampSecond, "response" | "connect">> {
  /** Response times of the second, in ms. */
  readonly responsesMs?: readonly number[];
  readonly connectsMs?: readonly number[];
}

export function histogramOf(timesMs: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const ms of timesMs) histogram.record(ms * 1e6);
  return histogram;
}

/** Second number `index`: 100 more connections, and all is well but what is said. */
export function secondOf(index: number, made: MadeSecond = {}): RampSecond {
  const { responsesMs = [1, 2, 3], connectsMs = [1], ...rest } = made;
  const openBefore = rest.openBefore ?? index * 100;
  const opened = rest.opened ?? 100;
  return {
    fromMs: index * 1000,
    untilMs: (index + 1) * 1000,
    openBefore,
    open: openBefore + opened,
    attempted: openBefore + opened,
    opened,
    failed: 0,
    closed: 0,
    sent: responsesMs.length,
    answered: responsesMs.length,
    lost: 0,
    response: histogramOf(responsesMs),
    connect: histogramOf(connectsMs),
    overdue: [],
    ...rest,
  };
}
