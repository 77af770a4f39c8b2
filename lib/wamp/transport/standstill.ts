/** What counts: less does not make a balancer send clients elsewhere. */
const leastMs = 500;
const tickMs = 100;
/** How long after it connections are accepted that were made during it. */
const recentMs = 1000;

/** Milliseconds since any moment. */
export interface StandstillClocks {
  nowMs(): number;
  /** CPU time that this process has used. */
  cpuMs(): number;
}

const processClocks: StandstillClocks = {
  nowMs: () => performance.now(),
  cpuMs() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
};

/**
 * Notices that this process has stood still (SIGSTOP, or the host gave it no time): the clock went on,
 * and the process used no CPU. One that is only busy uses it.
 */
export class StandstillWatch {
  readonly #clocks: StandstillClocks;
  #seenMs: number;
  #seenCpuMs: number;
  #lastMs = -Infinity;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #stoodStill: () => void;

  /** @param stoodStill called before anything is read of what has come meanwhile. */
  constructor(stoodStill: () => void, clocks = processClocks) {
    this.#stoodStill = stoodStill;
    this.#clocks = clocks;
    this.#seenMs = clocks.nowMs();
    this.#seenCpuMs = clocks.cpuMs();
    this.#timer = setInterval(() => this.#look(clocks.nowMs()), tickMs);
    this.#timer.unref();
  }

  /** To be called before anything that came from outside is read, and before what is due is done. */
  check(): void {
    const nowMs = this.#clocks.nowMs();
    if (nowMs - this.#seenMs >= leastMs) this.#look(nowMs);
  }

  /** Whether it was so short a time ago that what comes as new may be old. */
  get isRecent(): boolean {
    return this.#clocks.nowMs() - this.#lastMs < recentMs;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(nowMs: number): void {
    const nowCpuMs = this.#clocks.cpuMs();
    const stillMs = nowMs - this.#seenMs - (nowCpuMs - this.#seenCpuMs);
    this.#seenMs = nowMs;
    this.#seenCpuMs = nowCpuMs;
    if (stillMs < leastMs) return;
    this.#lastMs = nowMs;
    this.#stoodStill();
  }
}
