/**
 * The time of a run: lengths by the monotonic clock, and instants by the real-time one, which the nodes
 * share, in nanoseconds since a whole second shortly before the start.
 */
export class RunClock {
  readonly originSeconds = Math.floor(Date.now() / 1000);
  /** When the first message was due; NaN: not yet. */
  beginNs = NaN;
  /** When the plan was over; NaN: not yet. */
  endNs = NaN;
  readonly #startedMs = performance.now();
  #stoppedMs = NaN;

  /** Now, to the millisecond. */
  nowNs(): number {
    return (Date.now() - this.originSeconds * 1000) * 1e6;
  }

  /** Since the start, or from there to the end of the run. */
  get elapsedMs(): number {
    const untilMs = Number.isNaN(this.#stoppedMs) ? performance.now() : this.#stoppedMs;
    return untilMs - this.#startedMs;
  }

  /** How much of the plan is over. */
  get runningMs(): number {
    if (Number.isNaN(this.beginNs)) return 0;
    const untilNs = Number.isNaN(this.endNs) ? this.nowNs() : this.endNs;
    return Math.max(0, (untilNs - this.beginNs) / 1e6);
  }

  /** The run has ended. */
  stop(): void {
    this.#stoppedMs = performance.now();
  }
}
