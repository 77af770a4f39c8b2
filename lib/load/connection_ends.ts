import { nowNs } from "../stats/clock.ts";
import type { Failure } from "../stats/failure.ts";
import type { ConnectionPool } from "./connection_pool.ts";
import type { ConnectionUpkeep } from "./connection_upkeep.ts";
import type { MessageLedger } from "./ledger.ts";
import type { Receiver } from "./receiver.ts";
import type { Sender } from "./sender.ts";

/** The parts of a load generator that know connections. */
export interface EndingParts {
  readonly pool: ConnectionPool;
  readonly ledger: MessageLedger;
  readonly sender: Sender;
  readonly receiver: Receiver;
  readonly upkeep: ConnectionUpkeep;
}

/** What has to be done when a connection ends, so that no message of it is forgotten. */
export class ConnectionEnds {
  constructor(private readonly parts: EndingParts) {}

  /** A connection has ended, or an attempt has failed. */
  closed(id: number, failure: Failure | undefined): void {
    const { pool, ledger, receiver, upkeep } = this.parts;
    const inFlight = ledger.inFlightOn(id);
    const lostBefore = pool.lost;
    if (!pool.markClosed(id, failure, upkeep.uselessSinceNs(id, nowNs()))) return;
    upkeep.messagesLost(inFlight + upkeep.missedOn(id), ledger.openOn(id) - inFlight);
    const isLost = pool.lost > lostBefore;
    if (isLost && !receiver.hasAnswered(id)) pool.countUnused(inFlight);
    this.forget(id);
  }

  /** Ends a connection that is of no more use. */
  abort(id: number, failure: Failure): void {
    const { pool, ledger, receiver, upkeep } = this.parts;
    if (!pool.isOpen(id) && !pool.isLeaving(id)) return;
    const inFlight = ledger.inFlightOn(id);
    const waiting = ledger.openOn(id) - inFlight;
    const missed = upkeep.missedOn(id);
    const sinceNs = upkeep.uselessSinceNs(id, nowNs());
    if (!receiver.hasAnswered(id)) pool.countUnused(inFlight);
    // First, because the transport may tell its end at once.
    this.forget(id);
    pool.abort(id, failure, sinceNs);
    upkeep.messagesLost(inFlight + missed, waiting);
  }

  private forget(id: number): void {
    const { ledger, sender, receiver, upkeep } = this.parts;
    upkeep.forget(id);
    ledger.closeConnection(id);
    sender.forget(id);
    receiver.forget(id);
  }
}
