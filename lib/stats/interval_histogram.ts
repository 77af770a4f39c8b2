import { Histogram } from "./histogram.ts";

/**
 * A histogram of the running interval and one of everything, where a value is recorded only once:
 * `swap` adds the interval to the total when it ends.
 *
 * Cost: three histograms, 405 KB.
 */
export class IntervalHistogram {
  #running = new Histogram();
  #finished = new Histogram();
  readonly #ended = new Histogram();

  /** Counts one value in nanoseconds. */
  record(ns: number): void {
    this.#running.record(ns);
  }

  /** How many values were recorded altogether. */
  get count(): number {
    return this.#ended.count + this.#running.count;
  }

  /**
   * Ends the running interval and begins the next.
   *
   * @returns the interval that ended. It is used again at the next `swap`: copy what must last.
   */
  swap(): Histogram {
    const ended = this.#running;
    this.#running = this.#finished;
    this.#running.reset();
    this.#finished = ended;
    this.#ended.add(ended);
    return ended;
  }

  /** Everything recorded until now, the running interval included, as a histogram of its own. */
  total(): Histogram {
    const total = this.#ended.copy();
    total.add(this.#running);
    return total;
  }
}
