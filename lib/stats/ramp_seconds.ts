import { totalLost } from "./metrics.ts";
import type { RampSecond } from "./ramp.ts";
import type { ClientHistograms, ClientSnapshot } from "./snapshot.ts";

interface Mark {
  readonly open: number;
  readonly opened: number;
  readonly failed: number;
  readonly turnedAway: number;
  readonly closed: number;
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
}

/** Cuts the running totals of a ramp into its seconds. */
export class RampSeconds {
  #last: Mark = {
    open: 0,
    opened: 0,
    failed: 0,
    turnedAway: 0,
    closed: 0,
    sent: 0,
    answered: 0,
    lost: 0,
  };

  /** @param interval valid during the call only, and so is what is made of it. */
  next(
    interval: ClientHistograms,
    startNs: number,
    endNs: number,
    { connections, messages, overdue = [] }: ClientSnapshot,
  ): RampSecond {
    const last = this.#last;
    const turnedAway = connections.lostUnused ?? 0;
    const now: Mark = {
      open: connections.open,
      opened: connections.opened,
      failed: connections.failed,
      turnedAway,
      closed: connections.lost - turnedAway,
      sent: messages.sent,
      answered: messages.answered,
      // Those on connections that were turned away are no loss of open ones.
      lost: totalLost(messages.lost) - (connections.lostUnusedMessages ?? 0),
    };
    this.#last = now;
    return {
      fromMs: startNs / 1e6,
      untilMs: endNs / 1e6,
      openBefore: last.open,
      open: now.open,
      attempted: connections.attempted,
      opened: Math.max(0, now.opened - last.opened - (now.turnedAway - last.turnedAway)),
      failed: now.failed - last.failed + now.turnedAway - last.turnedAway,
      closed: now.closed - last.closed,
      sent: now.sent - last.sent,
      answered: now.answered - last.answered,
      lost: now.lost - last.lost,
      response: interval.response,
      connect: interval.connect,
      overdue,
    };
  }
}
