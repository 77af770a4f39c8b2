import type { Histogram } from "../stats/histogram.ts";

/** The content type that goes with the text of an `Exposition`. */
export const prometheusContentType = "text/plain; version=0.0.4; charset=utf-8";

export type Labels = Readonly<Record<string, string>>;

/** Upper bounds of the buckets of times, in seconds: 1, 2.5 and 5 of every power of ten. */
const boundsSeconds = [-5, -4, -3, -2, -1, 0, 1].flatMap((power) =>
  ["1", "2.5", "5"].map((digits) => Number(`${digits}e${power}`))
);
const boundsNs = boundsSeconds.map((seconds) => seconds * 1e9);

export type Sample = readonly [labels: Labels, value: number];

/** A summary over a sliding window: quantiles of the window, sum and count since the start. */
export interface SummarySample {
  readonly labels: Labels;
  /** Quantile from 0 to 1, and its value; NaN where the window is empty. */
  readonly quantiles: readonly (readonly [quantile: number, value: number])[];
  readonly sum: number;
  readonly count: number;
}

/**
 * Collects metric families as text.
 *
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4).
 */
export class Exposition {
  readonly #lines: string[] = [];
  readonly #prefix: string;

  /** @param prefix what every name begins with. */
  constructor(prefix = "") {
    this.#prefix = prefix;
  }

  /** A counter whose name ends with `_total`. */
  total(name: string, help: string, samples: readonly Sample[]): void {
    this.counter(`${name}_total`, help, samples);
  }

  /** A counter of exactly that name. */
  counter(name: string, help: string, samples: readonly Sample[]): void {
    this.#family(name, "counter", help, samples);
  }

  gauge(name: string, help: string, samples: readonly Sample[]): void {
    this.#family(name, "gauge", help, samples);
  }

  summary(name: string, help: string, samples: readonly SummarySample[]): void {
    const family = `${this.#prefix}${name}`;
    this.#head(family, "summary", help);
    for (const { labels, quantiles, sum, count } of samples) {
      for (const [quantile, value] of quantiles) {
        this.#sample(family, { ...labels, quantile: String(quantile) }, value);
      }
      this.#sample(`${family}_sum`, labels, sum);
      this.#sample(`${family}_count`, labels, count);
    }
  }

  /** A histogram of times in seconds, of exactly that name. */
  histogram(name: string, help: string, histogram: Histogram): void {
    const family = `${this.#prefix}${name}`;
    const counts = histogram.countsAtOrBelow(boundsNs);
    this.#head(family, "histogram", help);
    for (const [index, bound] of boundsSeconds.entries()) {
      this.#sample(`${family}_bucket`, { le: String(bound) }, counts[index]!);
    }
    this.#sample(`${family}_bucket`, { le: "+Inf" }, histogram.count);
    this.#sample(`${family}_sum`, {}, histogram.sumNs / 1e9);
    this.#sample(`${family}_count`, {}, histogram.count);
  }

  /** The same with `_seconds` behind its name, and its percentiles as gauges. */
  times(name: string, help: string, histogram: Histogram): void {
    this.histogram(`${name}_seconds`, help, histogram);
    const [p50, p90, p99, p999] = histogram.percentilesNs([50, 90, 99, 99.9]);
    // Not the label "quantile": that one is reserved for summaries, which hold no extremes.
    this.gauge(`${name}_percentile_seconds`, `${help}: percentiles`, [
      [{ percentile: "0" }, histogram.minNs / 1e9],
      [{ percentile: "50" }, p50! / 1e9],
      [{ percentile: "90" }, p90! / 1e9],
      [{ percentile: "99" }, p99! / 1e9],
      [{ percentile: "99.9" }, p999! / 1e9],
      [{ percentile: "100" }, histogram.maxNs / 1e9],
    ]);
  }

  toString(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  #family(name: string, type: string, help: string, samples: readonly Sample[]): void {
    const family = `${this.#prefix}${name}`;
    this.#head(family, type, help);
    for (const [labels, value] of samples) this.#sample(family, labels, value);
  }

  #head(family: string, type: string, help: string): void {
    this.#lines.push(`# HELP ${family} ${help}`, `# TYPE ${family} ${type}`);
  }

  #sample(name: string, labels: Labels, value: number): void {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`);
    const braces = pairs.length > 0 ? `{${pairs.join(",")}}` : "";
    this.#lines.push(`${name}${braces} ${formatValue(value)}`);
  }
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  return String(value);
}
