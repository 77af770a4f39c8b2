import { LoopWait, timerDelayMs } from "../host/loop_wait.ts";
import { nowNs } from "../stats/clock.ts";

const longestTimerMs = 1_000;
/** So many turns of the event loop bring nothing to send before the pacer sleeps in one. */
const turnsBeforeSleep = 2;

/**
 * Calls `step` when it said that something is due, to some 50 µs instead of the millisecond of
 * timers: shortly before, it sleeps in ppoll(2) on the event loop's own descriptor, which wakes it for
 * whatever comes from the network.
 *
 * Other than the pacer of `lib/load`, this one shares the loop with a library that works in promises
 * and in later turns of the loop, and must not be made to wait by a sleep: after everything that was
 * sent and every event it lets the loop turn until nothing was to be done. Where the descriptor is
 * not known (not Linux) it goes by timers.
 */
export class BroadcastPacer {
  private isRunning = false;
  private wait: LoopWait | undefined;
  private lastDueNs = NaN;
  private idleTurns = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private immediate: ReturnType<typeof setImmediate> | undefined;

  /** @param step does what is due and says when it is to be called again (Infinity: at `wake`). */
  constructor(private readonly step: (atNs: number) => number) {}

  /** Something else may be due than `step` has said. */
  wake(): void {
    this.isRunning = true;
    clearTimeout(this.timer);
    clearImmediate(this.immediate);
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
    if (!this.isRunning || dueNs === Infinity) return;
    this.idleTurns = dueNs === this.lastDueNs ? this.idleTurns + 1 : 0;
    this.lastDueNs = dueNs;
    const waitNs = dueNs - nowNs();
    const timerMs = timerDelayMs(waitNs, longestTimerMs);
    if (timerMs > 0) {
      this.timer = setTimeout(this.turn, timerMs);
      return;
    }
    if (this.idleTurns > turnsBeforeSleep && waitNs > 0) {
      this.wait ??= new LoopWait();
      if (!this.wait.isPossible) {
        this.timer = setTimeout(this.turn, 1);
        return;
      }
      if (this.wait.untilEvents(waitNs)) this.idleTurns = 0;
    }
    this.immediate = setImmediate(this.turn);
  };
}
