import { findEpollFd, setTimerSlack, waitForEvents } from "../host/libc.ts";
import { nowNs } from "../stats/clock.ts";

const longestWaitNs = 1e6;
/** A timer may fire this much late; nearer than that the pacer waits by itself. */
const timerMarginMs = 3;
const longestTimerMs = 50;

/**
 * Calls `step` again and again, each time when the step before said that something is due.
 *
 * Timers are up to a millisecond late and `setImmediate` alone spins a core. So the pacer sleeps in
 * ppoll(2) on the event loop's own epoll descriptor: until the next due time, one millisecond at
 * most, or until there is I/O, which the loop then serves before the next step. Where there is no
 * epoll (not Linux) it falls back to timers, and lateness shows it.
 */
export class Pacer {
  private isRunning = false;
  private epollFd = -1;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private immediate: ReturnType<typeof setImmediate> | undefined;

  /** @param step does what is due and returns when it wants to be called again (clock time, ns). */
  constructor(private readonly step: (atNs: number) => number) {}

  start(): void {
    if (this.isRunning) return;
    this.isRunning = true;
    setTimerSlack(1);
    this.epollFd = findEpollFd();
    this.immediate = setImmediate(this.turn);
  }

  stop(): void {
    this.isRunning = false;
    clearTimeout(this.timer);
    clearImmediate(this.immediate);
  }

  private readonly turn = (): void => {
    if (!this.isRunning) return;
    const dueNs = this.step(nowNs());
    if (!this.isRunning) return;
    const waitNs = dueNs - nowNs();
    const waitMs = waitNs / 1e6;
    if (waitMs > timerMarginMs) {
      const timerMs = Math.min(waitMs - timerMarginMs + 1, longestTimerMs);
      this.timer = setTimeout(this.turn, timerMs);
      return;
    }
    if (waitNs > 0) {
      if (this.epollFd >= 0) {
        waitForEvents(this.epollFd, Math.min(waitNs, longestWaitNs));
      } else if (waitNs > longestWaitNs) {
        this.timer = setTimeout(this.turn, 1);
        return;
      }
    }
    this.immediate = setImmediate(this.turn);
  };
}
