import { findEpollFd, setTimerSlack, waitForEvents } from "./libc.ts";

/** ppoll(2) passes over a negative descriptor: it only sleeps. */
const noDescriptor = -1;
/** No wait for events is longer, so that the loop's timers are not held up. */
const longestWaitNs = 1e6;
/** A timer may fire this much late; nearer than that a thread waits by itself. */
const timerMarginMs = 3;

/**
 * Waits of this thread between two turns of its event loop, to some 50 µs where timers are up to a
 * millisecond late: in ppoll(2) on the loop's own epoll descriptor, until whatever comes from the
 * network, which the next turn then serves.
 */
export class LoopWait {
  readonly #epollFd: number;

  constructor() {
    setTimerSlack(1);
    this.#epollFd = findEpollFd();
  }

  /** Not where the descriptor is not known (not Linux). */
  get isPossible(): boolean {
    return this.#epollFd >= 0;
  }

  /**
   * Waits until something comes, at most for so long and for a millisecond.
   *
   * @returns whether something has come.
   */
  untilEvents(waitNs: number): boolean {
    return waitForEvents(this.#epollFd, Math.min(waitNs, longestWaitNs)) !== 0;
  }

  /** Waits, whatever comes. */
  through(waitNs: number): void {
    waitForEvents(noDescriptor, waitNs);
  }
}

/**
 * The delay of a timer that brings near to what is due in `waitNs`, at most `longestMs`.
 *
 * @returns 0 where it is near already.
 */
export function timerDelayMs(waitNs: number, longestMs: number): number {
  const waitMs = waitNs / 1e6;
  return waitMs > timerMarginMs ? Math.min(waitMs - timerMarginMs + 1, longestMs) : 0;
}
