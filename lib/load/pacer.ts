import { LoopWait, timerDelayMs } from "../host/loop_wait.ts";
import { nowNs } from "../stats/clock.ts";

/** Where the thread cannot wait by itself: below it the loop turns at once. */
const shortestTimerNs = 1e6;
/** At high rates steps are this far apart at least: what falls due meanwhile shares one turn. */
const quantumNs = 100e3;
/** So many waits in a row that are shorter than the quantum make a high rate. */
const highRateWaits = 8;
const longestTimerMs = 50;

/**
 * Calls `step` again and again, each time when the step before said that something is due.
 *
 * Timers are up to a millisecond late and `setImmediate` alone spins a core. So the pacer sleeps in
 * ppoll(2) on the event loop's own epoll descriptor: until the next due time, one millisecond at
 * most, or until there is I/O, which the loop then serves before the next step. Where there is no
 * epoll (not Linux) it falls back to timers, and lateness shows it.
 *
 * A turn of the event loop costs about 5 µs whatever it brings, and above some 10,000 messages per
 * second nearly every message and every answer would cost one. There the pacer sleeps through the
 * rest of a quantum of 100 µs, I/O or not: a third of the CPU for 50 µs on average, in the lateness
 * of sends (where it is recorded) and in the time at which answers are read.
 */
export class Pacer {
  private isRunning = false;
  private lastStepNs = 0;
  private shortWaits = 0;
  private wait: LoopWait | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private immediate: ReturnType<typeof setImmediate> | undefined;

  /** @param step does what is due and returns when it wants to be called again (clock time, ns). */
  constructor(private readonly step: (atNs: number) => number) {}

  start(): void {
    if (this.isRunning) return;
    this.isRunning = true;
    this.wait = new LoopWait();
    this.immediate = setImmediate(this.turn);
  }

  stop(): void {
    this.isRunning = false;
    clearTimeout(this.timer);
    clearImmediate(this.immediate);
  }

  private readonly turn = (): void => {
    if (!this.isRunning) return;
    this.lastStepNs = nowNs();
    const dueNs = this.step(this.lastStepNs);
    if (!this.isRunning) return;
    const atNs = nowNs();
    const waitNs = dueNs - atNs;
    const timerMs = timerDelayMs(waitNs, longestTimerMs);
    if (timerMs > 0) {
      this.timer = setTimeout(this.turn, timerMs);
      return;
    }
    const wait = this.wait!;
    if (wait.isPossible) this.sleep(wait, waitNs, this.lastStepNs + quantumNs - atNs);
    else if (waitNs > shortestTimerNs) {
      this.timer = setTimeout(this.turn, 1);
      return;
    }
    this.immediate = setImmediate(this.turn);
  };

  /** @param quantumRestNs how much of the quantum is left. */
  private sleep(wait: LoopWait, waitNs: number, quantumRestNs: number): void {
    this.shortWaits = waitNs < quantumNs ? this.shortWaits + 1 : 0;
    if (this.shortWaits > highRateWaits) {
      if (quantumRestNs > 0) wait.through(Math.max(waitNs, quantumRestNs));
    } else if (waitNs > 0) {
      wait.untilEvents(waitNs);
    }
  }
}
