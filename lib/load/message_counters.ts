import type { MessageCounts } from "../stats/snapshot.ts";

/**
 * The running counts behind `MessageCounts`, flat so that counting is one addition. `inFlight` is
 * counted, not derived, so that the balance of the books can be checked.
 */
export class MessageCounters {
  due = 0;
  sent = 0;
  answered = 0;
  queued = 0;
  lostTimeout = 0;
  lostClosed = 0;
  lostCorrupted = 0;
  lostUnanswered = 0;
  unsentNoConnection = 0;
  unsentHeldBack = 0;
  unsentGeneratorLate = 0;
  inFlight = 0;
}

/** The counts of several counters added up. */
export function messageCounts(...counters: readonly MessageCounters[]): MessageCounts {
  const sum = (of: (counter: MessageCounters) => number) =>
    counters.reduce((total, counter) => total + of(counter), 0);
  return {
    due: sum((c) => c.due),
    sent: sum((c) => c.sent),
    answered: sum((c) => c.answered),
    lost: {
      timeout: sum((c) => c.lostTimeout),
      closed: sum((c) => c.lostClosed),
      corrupted: sum((c) => c.lostCorrupted),
      unanswered: sum((c) => c.lostUnanswered),
    },
    inFlight: sum((c) => c.inFlight),
    queued: sum((c) => c.queued),
    unsent: {
      noConnection: sum((c) => c.unsentNoConnection),
      heldBack: sum((c) => c.unsentHeldBack),
      generatorLate: sum((c) => c.unsentGeneratorLate),
    },
  };
}
