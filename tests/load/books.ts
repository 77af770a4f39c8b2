import assert from "node:assert/strict";
import { messageOf } from "../../lib/errors.ts";
import type { MessageTrace } from "../../lib/load/message_trace.ts";
import type { ClientSnapshot, MessageCounts } from "../../lib/stats/snapshot.ts";

export interface TracedMessage {
  readonly connection: number;
  readonly sequence: number;
  readonly gapNs: number;
  readonly sentNs: number;
  /** NaN until it is answered. */
  answeredNs: number;
  serviceNs: number;
}

/** Keeps its own account of every message, and compares the generator's counts with it. */
export class Books implements MessageTrace {
  readonly messages: TracedMessage[] = [];
  readonly #open = new Map<number, TracedMessage>();
  answeredCount = 0;
  /** What was wrong; kept, because an exception would be lost in the callbacks of a transport. */
  readonly faults: string[] = [];

  /** @param isTraced whether it is told of every message; else only the counts are checked. */
  constructor(private readonly isTraced = true) {}

  sent(connection: number, sequence: number, gapNs: number, sentNs: number): void {
    if (this.#open.has(sequence)) this.faults.push(`message ${sequence} is sent twice`);
    const message = {
      connection,
      sequence,
      gapNs,
      sentNs,
      answeredNs: NaN,
      serviceNs: NaN,
    };
    this.messages.push(message);
    this.#open.set(sequence, message);
  }

  answered(connection: number, sequence: number, answeredNs: number, serviceNs: number): void {
    const message = this.#open.get(sequence);
    if (message?.connection !== connection) {
      this.faults.push(`message ${sequence} is answered on ${connection}, but not open there`);
      return;
    }
    message.answeredNs = answeredNs;
    message.serviceNs = serviceNs;
    this.#open.delete(sequence);
    this.answeredCount++;
  }

  /** Sent and not answered, as counted here. */
  get unanswered(): number {
    return this.#open.size;
  }

  /** As `check`, for callbacks: what is wrong is thrown at the next check. */
  note(snapshot: ClientSnapshot): void {
    try {
      this.check(snapshot);
    } catch (error) {
      this.faults.push(messageOf(error));
    }
  }

  /**
   * The books balance, and agree with the account kept here.
   *
   * @throws {assert.AssertionError} they do not, or did not before.
   */
  check({ messages, steady, phase }: ClientSnapshot): void {
    assert.deepEqual(this.faults, []);
    assertBalanced(messages);
    assertBalanced(steady);
    assert.ok(steady.sent <= messages.sent && steady.due <= messages.due);
    if (phase === "done") assert.equal(messages.inFlight + messages.queued, 0, "after the run");
    if (!this.isTraced) return;
    assert.equal(messages.sent, this.messages.length, "sent");
    assert.equal(messages.answered, this.answeredCount, "answered");
    assert.equal(messages.inFlight + lostOf(messages), this.unanswered, "sent, not answered");
  }
}

export function lostOf({ lost }: MessageCounts): number {
  return lost.timeout + lost.closed + lost.corrupted + lost.unanswered;
}

export function assertBalanced(counts: MessageCounts): void {
  const { due, sent, answered, inFlight, queued, unsent } = counts;
  const text = JSON.stringify(counts);
  for (const count of [due, sent, answered, inFlight, queued]) {
    assert.ok(Number.isInteger(count) && count >= 0, text);
  }
  assert.equal(sent, answered + lostOf(counts) + inFlight, text);
  assert.equal(
    due,
    sent + queued + unsent.noConnection + unsent.heldBack + unsent.generatorLate,
    text,
  );
}
