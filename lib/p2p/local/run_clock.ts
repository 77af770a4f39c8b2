/**
 * The time of a run: lengths by the monotonic clock, and instants by the real-time one, which the nodes
 * share, in nanoseconds since a whole second shortly before the start.
 */
export class RunClock {
  readonly originSeconds = Math.floor(Date.now() / 1000);
  /** When the first message was due; NaN: not yet. */
  beginNs = NaN;
  /** Messages due from then on are timed: after the warm-up, if there is one. */
  measuredFromNs: number;
  /** When the plan was over; NaN: not yet. */
  endNs = NaN;
  readonly #startedMs = performance.now();
  readonly #warmupMs: number;
  #stoppedMs = NaN;

  constructor(warmupMs: number) {
    this.#warmupMs = warmupMs;
    this.measuredFromNs = warmupMs > 0 ? Infinity : -Infinity;
  }

  /** The first message is due then. */
  begin(atNs: number): void {
    this.beginNs = atNs;
    // Half a microsecond before: rounding must not put the first message after it into the warm-up.
    if (this.#warmupMs > 0) this.measuredFromNs = atNs + this.#warmupMs * 1e6 - 500;
  }

  /** Now, to the millisecond. */
  nowNs(): number {
    return (Date.now() - this.originSeconds * 1000) * 1e6;
  }

  /** Since the start, or from there to the end of the run. */
  get elapsedMs(): number {
    const untilMs = Number.isNaN(this.#stoppedMs) ? performance.now() : this.#stoppedMs;
    return untilMs - this.#startedMs;
  }

  get isWarmingUp(): boolean {
    return this.nowNs() < this.measuredFromNs;
  }

  /** How much of the plan is over, warm-up included. */
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
