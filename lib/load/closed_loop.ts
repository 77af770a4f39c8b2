import { nowNs } from "../stats/clock.ts";
import type { ConnectionPool } from "./connection_pool.ts";
import type { MessageLedger } from "./ledger.ts";
import type { LoadLoop } from "./load_loop.ts";
import type { RunTimes } from "./run_times.ts";
import type { Sender } from "./sender.ts";

/** Keeps a number of messages outstanding on each connection: one that ends is followed by another. */
export class ClosedLoop implements LoadLoop {
  /** Connections lack messages that the ledger had no room for. */
  private isStarved = false;

  constructor(
    private readonly outstanding: number,
    private readonly pool: ConnectionPool,
    private readonly ledger: MessageLedger,
    private readonly sender: Sender,
    private readonly times: RunTimes,
  ) {}

  start(): void {}

  begin(): void {
    this.fillUp();
  }

  sendDue(): boolean {
    if (this.isStarved && !this.ledger.isFull()) this.fillUp();
    return false;
  }

  nextDueNs(): number {
    return Infinity;
  }

  isDone(): boolean {
    return true;
  }

  countUnsent(): void {}

  /** Gives every open connection the messages that it lacks. */
  private fillUp(): void {
    this.isStarved = false;
    for (let place = 0; place < this.pool.openCount; place++) this.fill(this.pool.openAt(place));
  }

  opened(id: number): void {
    this.fill(id);
  }

  private fill(id: number): void {
    const missing = this.outstanding - this.ledger.openOn(id);
    for (let i = 0; i < missing && !this.isStarved; i++) this.messageEnded(id);
  }

  /** The next message of a connection is due now. */
  messageEnded(id: number): void {
    const { times, ledger } = this;
    const atNs = nowNs();
    if (!this.pool.isOpen(id) || !times.isSending || atNs >= times.steadyEndNs) return;
    if (ledger.isFull() || ledger.isFullOn(id)) {
      this.isStarved = true;
      return;
    }
    this.sender.queue(id, atNs, NaN, atNs >= times.steadyStartNs, atNs);
  }
}
