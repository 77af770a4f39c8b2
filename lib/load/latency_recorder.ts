import { IntervalHistogram } from "../stats/interval_histogram.ts";
import type { ClientHistograms } from "../stats/snapshot.ts";

/** The histograms of a run. Messages enter only if their intended time lies in the steady phase. */
export class LatencyRecorder {
  readonly response = new IntervalHistogram();
  readonly service = new IntervalHistogram();
  readonly connect = new IntervalHistogram();
  readonly reconnect = new IntervalHistogram();
  readonly scheduleError = new IntervalHistogram();
  readonly lateness = new IntervalHistogram();

  /** Everything recorded until now. */
  totals(): ClientHistograms {
    return this.each((histogram) => histogram.total());
  }

  /** Ends the running interval and returns it. */
  swap(): ClientHistograms {
    return this.each((histogram) => histogram.swap());
  }

  private each<T>(take: (histogram: IntervalHistogram) => T) {
    return {
      response: take(this.response),
      service: take(this.service),
      connect: take(this.connect),
      ...(this.reconnect.count > 0 ? { reconnect: take(this.reconnect) } : {}),
      scheduleError: take(this.scheduleError),
      lateness: take(this.lateness),
    };
  }
}
