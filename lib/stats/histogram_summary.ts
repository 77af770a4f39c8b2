import type { Histogram } from "./histogram.ts";

/** The figures that every output shows of a histogram; NaN when it is empty. */
export interface HistogramSummary {
  readonly count: number;
  readonly minNs: number;
  readonly meanNs: number;
  readonly p50Ns: number;
  readonly p90Ns: number;
  readonly p99Ns: number;
  readonly p999Ns: number;
  readonly p9999Ns: number;
  readonly maxNs: number;
  /** Values above an hour, counted as an hour. */
  readonly clamped: number;
}

/** Times that can be summarized. */
type Times = Pick<Histogram, "count" | "minNs" | "meanNs" | "maxNs" | "clamped" | "percentilesNs">;

export function summarize(histogram: Times): HistogramSummary {
  const [p50Ns, p90Ns, p99Ns, p999Ns, p9999Ns] = histogram.percentilesNs([50, 90, 99, 99.9, 99.99]);
  return {
    count: histogram.count,
    minNs: histogram.minNs,
    meanNs: histogram.meanNs,
    p50Ns: p50Ns!,
    p90Ns: p90Ns!,
    p99Ns: p99Ns!,
    p999Ns: p999Ns!,
    p9999Ns: p9999Ns!,
    maxNs: histogram.maxNs,
    clamped: histogram.clamped,
  };
}
