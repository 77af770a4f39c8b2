import { nowNs } from "../../stats/clock.ts";
import { RollingHistogram } from "../../stats/rolling_histogram.ts";
import type { NodeHistograms } from "../snapshot.ts";

/**
 * What a node measures in time. Each value is recorded once, and can be read as part of the last
 * minute and as part of the whole run.
 */
export class NodeDurations implements Record<keyof NodeHistograms, RollingHistogram> {
  readonly sendDelay: RollingHistogram;
  readonly lateness: RollingHistogram;
  readonly delivery: RollingHistogram;
  readonly negativeDelivery: RollingHistogram;
  readonly correctedDelivery: RollingHistogram;
  readonly ping: RollingHistogram;

  /** @param now a monotonic clock in nanoseconds. */
  constructor(now: () => number = nowNs) {
    this.sendDelay = new RollingHistogram(now);
    this.lateness = new RollingHistogram(now);
    this.delivery = new RollingHistogram(now);
    this.negativeDelivery = new RollingHistogram(now);
    this.correctedDelivery = new RollingHistogram(now);
    this.ping = new RollingHistogram(now);
  }

  /** Everything since the start; histograms of their own, 135 KB each. */
  totals(): NodeHistograms {
    return {
      sendDelay: this.sendDelay.total(),
      lateness: this.lateness.total(),
      delivery: this.delivery.total(),
      negativeDelivery: this.negativeDelivery.total(),
      correctedDelivery: this.correctedDelivery.total(),
      ping: this.ping.total(),
    };
  }

  /** The last minute; histograms of their own, 135 KB each. */
  windows(): NodeHistograms {
    return {
      sendDelay: this.sendDelay.window(),
      lateness: this.lateness.window(),
      delivery: this.delivery.window(),
      negativeDelivery: this.negativeDelivery.window(),
      correctedDelivery: this.correctedDelivery.window(),
      ping: this.ping.window(),
    };
  }
}
