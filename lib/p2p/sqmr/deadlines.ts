import { setMaxListeners } from "node:events";

interface Deadline {
  readonly controller: AbortController;
  readonly timer: ReturnType<typeof setTimeout>;
}

/**
 * Signals that abort after a fixed time, shared by all that ask within the same second: a timer a
 * session would be thousands a second, each of which lives for two minutes.
 */
export class Deadlines {
  private readonly pending = new Map<number, Deadline>();
  private stopped: AbortSignal | undefined;

  constructor(private readonly timeoutMs: number) {}

  /** A signal that aborts after the time of the constructor, or up to a second later. */
  next(): AbortSignal {
    if (this.stopped !== undefined) return this.stopped;
    const second = Math.floor(performance.now() / 1_000);
    const known = this.pending.get(second);
    if (known !== undefined) return known.controller.signal;
    const controller = new AbortController();
    setMaxListeners(0, controller.signal);
    const timer = setTimeout(() => {
      this.pending.delete(second);
      controller.abort(new Error(`timed out after ${this.timeoutMs / 1_000} s`));
    }, this.timeoutMs + 1_000);
    timer.unref?.();
    this.pending.set(second, { controller, timer });
    return controller.signal;
  }

  /** Aborts all signals at once, and those that are still asked for. */
  stop(reason: Error): void {
    this.stopped = AbortSignal.abort(reason);
    for (const { controller, timer } of this.pending.values()) {
      clearTimeout(timer);
      controller.abort(reason);
    }
    this.pending.clear();
  }
}
