import type { MessageLedger } from "./ledger.ts";
import type { LoadLoop } from "./load_loop.ts";
import { type MessageSource, noConnection, notDue } from "./message_source.ts";
import type { RunTimes } from "./run_times.ts";
import type { Sender } from "./sender.ts";

/** Messages in one step, so that answers are read in between. */
const messagesPerStep = 16_384;
/** How long after the end of the plan its last messages are still sent, late. */
const catchUpNs = 100e6;
/** How many messages that were never sent are counted one by one; more than that by the schedule. */
const countedOneByOne = 1_000_000;
/** How soon a full ledger is looked at again. */
const fullLedgerNs = 1e6;

/**
 * Sends by plan, whatever the answers do. The plan is computed, never timed: a message that leaves
 * late keeps its intended time, and the plan is not shifted.
 */
export class OpenLoop implements LoadLoop {
  /** Since when the plan waits for the ledger, which is full; Infinity when it does not. */
  private heldSinceNs = Infinity;

  private planStartNs = Infinity;

  /** @param startsWithRamp the plan starts at once, and not when all connections are open. */
  constructor(
    private readonly source: MessageSource,
    private readonly ledger: MessageLedger,
    private readonly sender: Sender,
    private readonly times: RunTimes,
    private readonly startsWithRamp: boolean,
  ) {}

  start(atNs: number): void {
    if (this.startsWithRamp) this.planStartNs = atNs;
  }

  begin(atNs: number): void {
    if (!this.startsWithRamp) this.planStartNs = atNs;
  }

  opened(): void {}

  messageEnded(): void {}

  private get nextNs(): number {
    return this.planStartNs + this.source.nextNs;
  }

  nextDueNs(atNs: number): number {
    const { nextNs } = this;
    if (nextNs >= this.times.steadyEndNs) return Infinity;
    return this.ledger.isFull() ? atNs + fullLedgerNs : nextNs;
  }

  isDone(atNs: number): boolean {
    const { steadyEndNs } = this.times;
    return atNs >= steadyEndNs + catchUpNs || this.nextNs >= steadyEndNs;
  }

  sendDue(atNs: number): boolean {
    const { source, ledger, sender, planStartNs } = this;
    const { steadyStartNs, steadyEndNs } = this.times;
    for (let i = 0; i < messagesPerStep; i++) {
      const intendedNs = planStartNs + source.nextNs;
      if (!(intendedNs <= atNs && intendedNs < steadyEndNs)) {
        this.heldSinceNs = Infinity;
        return false;
      }
      if (ledger.isFull()) {
        this.heldSinceNs = Math.min(this.heldSinceNs, atNs);
        return false;
      }
      const { gapNs } = source;
      const isSteady = intendedNs >= steadyStartNs;
      const id = source.take();
      if (id >= 0) sender.queue(id, intendedNs, gapNs, isSteady, atNs);
      else if (id === noConnection) {
        const counters = isSteady ? ledger.steady : ledger.outside;
        counters.due++;
        counters.unsentNoConnection++;
      }
    }
    return true;
  }

  /**
   * Messages that fell due while the ledger was full of others that the target owes an answer were
   * held back by the target; with those before that the generator was late.
   */
  countUnsent(): void {
    const { source, ledger, planStartNs } = this;
    if (planStartNs === Infinity) return;
    const endNs = this.times.steadyEndNs - planStartNs;
    const steadyNs = Math.min(this.times.steadyStartNs - planStartNs, endNs);
    const heldNs = Math.min(this.heldSinceNs - planStartNs, endNs);
    let fromNs = 0;
    for (const toNs of [Math.min(steadyNs, heldNs), Math.max(steadyNs, heldNs), endNs]) {
      const counters = toNs <= steadyNs ? ledger.outside : ledger.steady;
      const count = countPlanned(source, fromNs, toNs);
      counters.due += count;
      if (toNs <= heldNs) counters.unsentGeneratorLate += count;
      else counters.unsentHeldBack += count;
      fromNs = toNs;
    }
  }
}

/**
 * How many messages are left of a part of a plan. They are taken one by one while they are few; then
 * the source stays behind, and the later parts are counted by the schedule alone.
 */
function countPlanned(source: MessageSource, fromNs: number, toNs: number): number {
  if (source.nextNs < fromNs) return Math.round(source.expectedCount(fromNs, toNs));
  let count = 0;
  while (source.nextNs < toNs && count < countedOneByOne) {
    if (source.take() !== notDue) count++;
  }
  return count + Math.round(source.expectedCount(Math.min(source.nextNs, toNs), toNs));
}
