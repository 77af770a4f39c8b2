import type { MessageCounts } from "../../lib/stats/snapshot.ts";

export interface ModelMessage {
  readonly connection: number;
  readonly intendedNs: number;
  readonly isSteady: boolean;
  /** `lost`: ended with its connection. */
  state: "waiting" | "inFlight" | "answered" | "timedOut" | "lost";
}

function noCounts(): MessageCounts {
  return {
    due: 0,
    sent: 0,
    answered: 0,
    lost: { timeout: 0, closed: 0, corrupted: 0, unanswered: 0 },
    inFlight: 0,
    queued: 0,
    unsent: { noConnection: 0, heldBack: 0, generatorLate: 0 },
  };
}

/** The ledger's promises over a map, searched where the ledger computes. */
export class LedgerModel {
  readonly messages = new Map<number, ModelMessage>();
  readonly outside = noCounts();
  readonly steady = noCounts();
  constructor(readonly timeoutNs: number, readonly sequenceBits: number) {}

  countsOf({ isSteady }: ModelMessage): MessageCounts {
    return isSteady ? this.steady : this.outside;
  }

  issue(sequence: number, message: ModelMessage): void {
    this.messages.set(sequence, message);
    this.countsOf(message).due++;
    this.countsOf(message).queued++;
  }

  waitingOn(connection: number): [number, ModelMessage][] {
    return [...this.messages].filter(([, message]) =>
      message.connection === connection && message.state === "waiting"
    );
  }

  markSent(message: ModelMessage): void {
    message.state = "inFlight";
    const counts = this.countsOf(message);
    counts.queued--;
    counts.sent++;
    counts.inFlight++;
  }

  /** All messages of a connection that an answer can mean, the newest first. */
  meant(connection: number, answerSequence: number): [number, ModelMessage][] {
    const step = 2 ** this.sequenceBits;
    return [...this.messages].filter(([sequence, message]) =>
      message.connection === connection && sequence % step === answerSequence
    ).reverse();
  }

  end(message: ModelMessage, state: ModelMessage["state"], count: (counts: MessageCounts) => void) {
    const counts = this.countsOf(message);
    if (message.state === "waiting") {
      counts.queued--;
      counts.unsent.heldBack++;
    } else {
      counts.inFlight--;
      count(counts);
    }
    message.state = state;
  }

  isOpen({ state }: ModelMessage): boolean {
    return state === "waiting" || state === "inFlight";
  }

  expire(nowNs: number): void {
    for (const message of this.messages.values()) {
      if (!this.isOpen(message) || message.intendedNs > nowNs - this.timeoutNs) continue;
      this.end(message, "timedOut", ({ lost }) => lost.timeout++);
    }
  }

  close(connection: number): void {
    for (const message of this.messages.values()) {
      if (!this.isOpen(message) || message.connection !== connection) continue;
      this.end(message, "lost", ({ lost }) => lost.closed++);
    }
  }

  /** Keeps the model small; what is asked about is among the latest. */
  forgetSettled(): void {
    let surplus = this.messages.size - 300;
    for (const [sequence, message] of this.messages) {
      if (surplus-- <= 0) return;
      if (!this.isOpen(message)) this.messages.delete(sequence);
    }
  }
}
