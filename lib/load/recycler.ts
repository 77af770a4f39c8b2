import type { ConnectionPool } from "./connection_pool.ts";
import { ConnectPace } from "./connect_pace.ts";
import type { MessageLedger } from "./ledger.ts";
import type { Share } from "./share.ts";

/** The part of a transport's dialer that closing needs. */
export interface ClosingSide {
  close(id: number): void;
  terminate(id: number): void;
}

export interface RecyclerSettings {
  readonly connections: number;
  /** Of the whole load. */
  readonly perSecond: number;
  readonly share: Share | undefined;
}

/** How long the end of a connection that was closed in order is awaited. */
const closeNs = 1e9;
/** How soon connections that are leaving are looked at again. */
const lookNs = 1e6;
/** Connections that are looked at in one step. */
const looksPerStep = 256;

/**
 * Closes connections on purpose, so many per second in the order of their ids, for the pool to open
 * them again: first nothing more is sent on one, then its last answers are awaited (or time out), then
 * it is closed in order.
 *
 * A connection costs 13 bytes.
 */
export class Recycler {
  private readonly connections: number;
  private readonly pace: ConnectPace;
  private nextId = 0;
  /** Connections that are leaving, as a ring in the order in which that began. */
  private readonly ring: Int32Array;
  private from = 0;
  private count = 0;
  /** When it was closed (clock time); 0 while its answers are awaited. */
  private readonly closedNs: Float64Array;
  private readonly isListed: Uint8Array;

  constructor(
    { connections, perSecond, share }: RecyclerSettings,
    private readonly pool: ConnectionPool,
    private readonly ledger: MessageLedger,
    private readonly side: ClosingSide,
  ) {
    this.connections = connections;
    this.pace = new ConnectPace(perSecond, share, undefined);
    this.ring = new Int32Array(connections);
    this.closedNs = new Float64Array(connections);
    this.isListed = new Uint8Array(connections);
  }

  start(atNs: number): void {
    this.pace.start(atNs);
    this.pace.use();
  }

  /** When there is something to do again (clock time). */
  nextLookNs(atNs: number): number {
    return this.count > 0 ? Math.min(this.pace.nextNs, atNs + lookNs) : this.pace.nextNs;
  }

  /** Begins with the connections whose turn it is. */
  retireDue(atNs: number): void {
    while (this.pace.nextNs <= atNs) {
      this.pace.use();
      const id = this.nextOpen();
      // All of them are leaving or down: the turn is over.
      if (id < 0) continue;
      this.closedNs[id] = 0;
      if (this.isListed[id] === 0) this.push(id);
    }
  }

  private nextOpen(): number {
    for (let tries = 0; tries < Math.min(this.connections, looksPerStep); tries++) {
      const id = this.nextId;
      this.nextId = id + 1 === this.connections ? 0 : id + 1;
      if (this.pool.retire(id)) return id;
    }
    return -1;
  }

  /** Closes those whose answers are in, and ends those whose close takes too long. */
  closeSettled(atNs: number): void {
    const looks = Math.min(this.count, looksPerStep);
    for (let i = 0; i < looks; i++) {
      const id = this.ring[this.from]!;
      this.from = this.from + 1 === this.connections ? 0 : this.from + 1;
      this.count--;
      this.isListed[id] = 0;
      if (this.stays(id, atNs)) this.push(id);
    }
  }

  private stays(id: number, atNs: number): boolean {
    if (!this.pool.isLeaving(id)) return false;
    if (this.closedNs[id] === 0) {
      if (this.ledger.openOn(id) > 0) return true;
      this.closedNs[id] = atNs;
      this.side.close(id);
      return this.pool.isLeaving(id);
    }
    if (atNs - this.closedNs[id]! < closeNs) return true;
    this.side.terminate(id);
    return false;
  }

  private push(id: number): void {
    this.isListed[id] = 1;
    const end = this.from + this.count++;
    this.ring[end < this.connections ? end : end - this.connections] = id;
  }
}
