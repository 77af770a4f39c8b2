import type { Histogram } from "../stats/histogram.ts";
import type { Output } from "./output.ts";

export interface HdrLogSettings {
  /** Wall-clock start of the run; the times of intervals count from it. */
  readonly startedAtMs: number;
  /** Lines that say what was measured, without `#`. */
  readonly comments: readonly string[];
}

/**
 * A HistogramLog of version 1.3, as HdrHistogram's own tools read it: header, then a line for each
 * interval and histogram that has values, marked by a tag. The values are nanoseconds; the maximum
 * that each line shows is in milliseconds.
 *
 * Source: `HistogramLogWriter` and `HistogramLogReader` of HdrHistogram.
 */
export class HdrLog {
  readonly #output: Output;
  readonly #encoder = new TextEncoder();

  constructor(output: Output, { startedAtMs, comments }: HdrLogSettings) {
    this.#output = output;
    const seconds = (startedAtMs / 1000).toFixed(3);
    this.#write([
      ...comments.map((comment) => `#${comment.replaceAll(/[\r\n]+/g, " ")}`),
      "#[Histogram log format version 1.3]",
      "#[Values are nanoseconds; Interval_Max is in milliseconds]",
      `#[StartTime: ${seconds} (seconds since epoch), ${new Date(startedAtMs).toISOString()}]`,
      `#[BaseTime: ${seconds} (seconds since epoch)]`,
      '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]);
  }

  /**
   * Writes one interval.
   *
   * @param startMs milliseconds since the start of the run.
   * @param histograms what was recorded in it, by tag; a tag has neither comma nor space. Empty
   * histograms are left out.
   */
  interval(
    startMs: number,
    endMs: number,
    histograms: Readonly<Record<string, Histogram>>,
  ): void {
    const start = (startMs / 1000).toFixed(3);
    const length = ((endMs - startMs) / 1000).toFixed(3);
    const lines = Object.entries(histograms)
      .filter(([, histogram]) => histogram.count > 0)
      .map(([tag, histogram]) => {
        const maxMs = (histogram.maxNs / 1e6).toFixed(3);
        return `Tag=${tag},${start},${length},${maxMs},${histogram.encode()}`;
      });
    if (lines.length > 0) this.#write(lines);
  }

  #write(lines: readonly string[]): void {
    this.#output.write(this.#encoder.encode(`${lines.join("\n")}\n`));
  }
}
