/** How much later than its limit a phase may be ended at most, but for short limits. */
const longestTickMs = 250;
const shortestTickMs = 5;
/** A limit is checked at least so many times while it runs. */
const ticksOfShortest = 8;

/**
 * The phase of each connection, by id, with a bound on the time that some of them may last. One timer
 * for all connections, and none while no phase is limited. 5 bytes a connection.
 */
export class TimedPhases {
  /** By id; 0 at first. */
  readonly current: Uint8Array;
  /** The tick at which a phase that is limited began. */
  readonly #since: Uint32Array;
  /** By phase; Infinity: not limited. */
  readonly #limitTicks: readonly number[];
  readonly #tickMs: number;
  readonly #expired: (id: number, phase: number) => void;
  #tick = 0;
  /** How many connections are in phases that are limited. */
  #limited = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /**
   * @param limitsMs by phase, how long it may last; Infinity: for ever.
   * @param expired is called again and again until the connection enters another phase.
   */
  constructor(
    capacity: number,
    limitsMs: readonly number[],
    expired: (id: number, phase: number) => void,
  ) {
    this.current = new Uint8Array(capacity);
    this.#since = new Uint32Array(capacity);
    const tickMs = Math.max(shortestTickMs, Math.min(...limitsMs) / ticksOfShortest);
    this.#tickMs = Math.min(longestTickMs, tickMs);
    this.#limitTicks = limitsMs.map((limitMs) => Math.ceil(limitMs / this.#tickMs));
    this.#expired = expired;
  }

  /** The connection goes over to a phase, whose time begins now. */
  enter(id: number, phase: number): void {
    this.#since[id] = this.#tick;
    this.goOn(id, phase);
  }

  /** As `enter`, but the phase before and this one share their time. */
  goOn(id: number, phase: number): void {
    if (this.#isLimited(this.current[id]!)) this.#limited--;
    this.current[id] = phase;
    if (!this.#isLimited(phase)) return;
    this.#limited++;
    this.#timer ??= setInterval(() => this.#sweep(), this.#tickMs);
  }

  /** Nothing expires from now on until a connection enters another phase. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #isLimited(phase: number): boolean {
    return this.#limitTicks[phase]! < Infinity;
  }

  #sweep(): void {
    this.#tick++;
    for (let id = 0; id < this.current.length && this.#limited > 0; id++) {
      const phase = this.current[id]!;
      if (this.#tick - this.#since[id]! > this.#limitTicks[phase]!) this.#expired(id, phase);
    }
    if (this.#limited === 0) this.stop();
  }
}
