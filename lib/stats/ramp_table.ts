import { Histogram } from "./histogram.ts";
import type { RampRow, RampSecond } from "./ramp.ts";

/** Beyond so many rows, neighbours become one. */
const mostRows = 20;

interface Row {
  readonly span: number;
  figures: Omit<RampRow, "meanNs" | "minNs" | "maxNs" | "p99Ns">;
  readonly response: Histogram;
}

/**
 * Connections against response times, in 10 to 20 rows however long the ramp is: a row holds a
 * second (or a step), later 2, 4, 8 … of them. Histograms are added, so that its percentiles are
 * those of all its messages. At most 2.7 MB.
 */
export class RampTable {
  #rows: Row[] = [];
  /** Seconds or steps in a row. */
  #width = 1;

  /** @param spanMs what a row holds at first: a second, or a step with its pause. */
  constructor(private readonly spanMs = 1000) {}

  add(second: RampSecond): void {
    const span = Math.floor((second.fromMs + second.untilMs) / 2 / this.spanMs);
    while (this.#rowOf(span, second) === undefined) this.#halve();
    const row = this.#rowOf(span, second)!;
    const { figures } = row;
    figures.untilMs = second.untilMs;
    figures.connections = second.open;
    for (const key of ["failed", "closed", "sent", "answered", "lost"] as const) {
      figures[key] += second[key];
    }
    row.response.add(second.response);
  }

  /** The row for a span, made where it is the next; undefined where there is no room for it. */
  #rowOf(span: number, { fromMs }: RampSecond): Row | undefined {
    const own = Math.floor(span / this.#width);
    const last = this.#rows.at(-1);
    if (last !== undefined && Math.floor(last.span / this.#width) >= own) return last;
    if (this.#rows.length >= mostRows) return undefined;
    const figures = {
      fromMs,
      untilMs: fromMs,
      connections: 0,
      failed: 0,
      closed: 0,
      sent: 0,
      answered: 0,
      lost: 0,
    };
    const row = { span, figures, response: new Histogram() };
    this.#rows.push(row);
    return row;
  }

  #halve(): void {
    this.#width *= 2;
    const merged: Row[] = [];
    for (const row of this.#rows) {
      const before = merged.at(-1);
      const isSame = before !== undefined &&
        Math.floor(before.span / this.#width) === Math.floor(row.span / this.#width);
      if (!isSame) {
        merged.push(row);
        continue;
      }
      const { untilMs, connections } = row.figures;
      for (const key of ["failed", "closed", "sent", "answered", "lost"] as const) {
        before.figures[key] += row.figures[key];
      }
      before.figures = { ...before.figures, untilMs, connections };
      before.response.add(row.response);
    }
    this.#rows = merged;
  }

  rows(): RampRow[] {
    return this.#rows.map(({ figures, response }) => ({
      ...figures,
      meanNs: response.meanNs,
      minNs: response.minNs,
      maxNs: response.maxNs,
      p99Ns: response.percentileNs(99),
    }));
  }
}
