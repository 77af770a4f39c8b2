import type { Quantity } from "./expectation_value.ts";
import type { Histogram } from "./histogram.ts";
import type { ClientSnapshot } from "./snapshot.ts";

/** A figure of a run, of a client's where nothing else is said, that an expectation can name. */
export interface Metric<Run = ClientSnapshot> {
  readonly quantity: Quantity;
  /** NaN where the run has no data for it. */
  value(snapshot: Run): number;
  /** What a percentage is a percentage of; metrics without it take none. */
  whole?(snapshot: Run): number;
  /** Why there may be no data. */
  readonly without: string;
}

/** All metrics of one kind of run. */
export interface MetricCatalogue<Run> {
  /** For messages and help; a family is shown as a pattern. */
  readonly names: readonly string[];
  /** Names to compare a misspelt one with. */
  similarNames(): readonly string[];
  find(name: string): Metric<Run> | undefined;
}

/** Times that have statistics. */
export type Times = Pick<Histogram, "minNs" | "meanNs" | "maxNs" | "percentileNs">;

/** Reads `p99.9`, `mean`, `min` or `max` of a histogram; undefined for any other name. */
export function readerOf(statistic: string): ((histogram: Times) => number) | undefined {
  if (statistic === "min") return (histogram) => histogram.minNs;
  if (statistic === "mean") return (histogram) => histogram.meanNs;
  if (statistic === "max") return (histogram) => histogram.maxNs;
  const percentile = /^p(\d{1,3}(?:\.\d+)?)$/.exec(statistic)?.[1];
  if (percentile === undefined || Number(percentile) > 100) return undefined;
  return (histogram) => histogram.percentileNs(Number(percentile));
}

/** Times of which any statistic can be named: `response.p99`. */
export interface TimeFamily<Run> {
  of(snapshot: Run): Times;
  /** Why there may be none. */
  readonly without: string;
}

const usualStatistics = ["min", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"];

/**
 * The metrics that have names of their own, and the statistics of times.
 *
 * @param families by the part of their names before the first dot.
 */
export function catalogueOf<Run>(
  named: Readonly<Record<string, Metric<Run>>>,
  families: Readonly<Record<string, TimeFamily<Run>>>,
): MetricCatalogue<Run> {
  const familyNames = Object.keys(families);
  return {
    names: [
      ...familyNames.map((name) => `${name}.<min|mean|p50|p99|p99.9|…|max>`),
      ...Object.keys(named),
    ],
    similarNames: () => [
      ...Object.keys(named),
      ...familyNames.flatMap((name) => usualStatistics.map((statistic) => `${name}.${statistic}`)),
    ],
    find(name) {
      if (Object.hasOwn(named, name)) return named[name];
      const dot = name.indexOf(".");
      const family = name.slice(0, dot);
      const times = dot < 0 || !Object.hasOwn(families, family) ? undefined : families[family];
      const read = readerOf(name.slice(dot + 1));
      if (times === undefined || read === undefined) return undefined;
      return {
        quantity: "duration",
        value: (snapshot) => read(times.of(snapshot)),
        without: times.without,
      };
    },
  };
}
