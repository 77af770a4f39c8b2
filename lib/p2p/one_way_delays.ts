import { formatCount, formatDuration, formatShare } from "../stats/figures.ts";
import { Histogram } from "../stats/histogram.ts";

/** Negative delays that are fewer than this are not worth a word. */
const mentionedShare = 0.01;

/**
 * One-way delays as two clocks show them, of which some are negative where clocks differ: those of
 * zero and more, and the sizes of the others, as one distribution that leaves out none.
 */
export class OneWayDelays {
  constructor(
    private readonly positive: Histogram,
    /** Without their sign. */
    private readonly negative: Histogram,
  ) {}

  get count(): number {
    return this.positive.count + this.negative.count;
  }

  get negativeCount(): number {
    return this.negative.count;
  }

  /** NaN where there are none at all. */
  get negativeShare(): number {
    return this.negative.count / this.count;
  }

  get minNs(): number {
    return this.negative.count > 0 ? -this.negative.maxNs : this.positive.minNs;
  }

  get maxNs(): number {
    return this.positive.count > 0 ? this.positive.maxNs : -this.negative.minNs;
  }

  get meanNs(): number {
    return (this.positive.sumNs - this.negative.sumNs) / this.count;
  }

  /** Values above an hour, either way. */
  get clamped(): number {
    return this.positive.clamped + this.negative.clamped;
  }

  /** As {@linkcode Histogram.percentileNs}. */
  percentileNs(percentile: number): number {
    const { count, positive, negative } = this;
    if (negative.count === 0) return positive.percentileNs(percentile);
    if (!(percentile > 0)) return this.minNs;
    if (percentile >= 100) return this.maxNs;
    const rank = Math.ceil((percentile / 100) * count * (1 - 2 ** -50));
    const above = rank - negative.count;
    // Half a rank below, so that rounding does not lead to the next one.
    if (above > 0) return positive.percentileNs(100 * (above - 0.5) / positive.count);
    return -negative.percentileNs(100 * (0.5 - above) / negative.count);
  }

  /** As {@linkcode Histogram.percentilesNs}. */
  percentilesNs(percentiles: readonly number[]): number[] {
    if (this.negative.count === 0) return this.positive.percentilesNs(percentiles);
    return percentiles.map((percentile) => this.percentileNs(percentile));
  }

  /** What was recorded after the earlier ones were copied from these. */
  since(earlier: OneWayDelays): OneWayDelays {
    return new OneWayDelays(
      this.positive.since(earlier.positive),
      this.negative.since(earlier.negative),
    );
  }

  /** Says how many are negative, where that is worth a word. */
  warning(): string[] {
    const { negativeShare } = this;
    if (!(negativeShare >= mentionedShare)) return [];
    return [
      `The clocks of the nodes differ: ${formatShare(negativeShare)} of the one-way delays are ` +
      `negative, down to ${
        formatDuration(this.minNs)
      }; percentiles of delivery are as the clocks ` +
      `show them.`,
    ];
  }

  /**
   * What keeps expectations from being judged: delays of which more than half are negative say
   * nothing of how long messages took, and would hold every upper bound.
   *
   * @param expectations as they were written.
   */
  faults(expectations: readonly string[]): string[] {
    const ofDelay = expectations.map((text) => text.trim()).filter((text) =>
      text.startsWith("delivery.") && !text.startsWith("delivery.negative")
    );
    if (!(this.negativeShare > 0.5) || ofDelay.length === 0) return [];
    return [
      `${
        ofDelay.join(", ")
      } cannot be judged: more than half of the one-way delays are negative, ` +
      `so the clocks differ by more than messages take.`,
    ];
  }
}

/** Those of a node before its first message. */
export const noDelays: OneWayDelays = new OneWayDelays(new Histogram(), new Histogram());

/** How many of the delays of a report are negative. */
export function negativeText({ negativeCount, negativeShare }: OneWayDelays): string {
  return `${formatCount(negativeCount)} (${
    formatShare(negativeShare)
  }) of the delivery times, as ` +
    `clocks differ; they are among those above`;
}
