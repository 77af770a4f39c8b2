import { Backoff } from "../../load/backoff.ts";
import type { Multiaddr, PeerAddress } from "./addresses.ts";
import type { Connection, Libp2p, PeerId } from "./libp2p_types.ts";

/**
 * Keeps one connection to every peer of a list, for as long as it runs.
 *
 * Every node dials every other, so two connections between the same two often arise at once. Both
 * ends choose the same one without a word: that which the smaller peer id has dialed. Where the
 * first is older than {@linkcode simultaneousMs}, the peer has evidently lost it, and the newer is
 * chosen. The other one gives way: all that is new goes by the chosen one, and it is closed when both
 * ends have left it. Closed at once, it would take with it what is on its way, and an end that does
 * not have the other connection yet would be without any.
 */

/** Two connections that open further apart than this are no simultaneous dial. */
const simultaneousMs = 10_000;

const dialTimeoutMs = 10_000;

/**
 * A connection that has given way lives so long at least, as the peer may notice later than this
 * end, and at most, as not every peer leaves it.
 */
const leastGivingWayMs = 1_000;
const mostGivingWayMs = 30_000;

/** Between two looks whether everything is as it should be. */
const inspectEveryMs = 1_000;

export interface MeshEvents {
  /** The connection that stands for a peer from now on. */
  settled(connection: Connection): void;
  /** Another has settled in its place: nothing new is to be sent on it. */
  gaveWay(connection: Connection): void;
  /** No connection to the peer is left. */
  gone(peer: PeerId): void;
  dialFailed(cause: unknown): void;
  /** Once a second, for each settled connection. */
  inspected(connection: Connection): void;
}

/** An address of the list. */
interface Target {
  readonly index: number;
  readonly multiaddr: Multiaddr;
  peerId: string | undefined;
  dialing: boolean;
  tries: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

export class Mesh {
  private readonly targets: readonly Target[];
  private readonly backoff: Backoff;
  private readonly settledConnections = new Map<string, Connection>();
  /** Since when connections have given way, in milliseconds. */
  private readonly givenWayAt = new Map<Connection, number>();
  private readonly ownId: string;
  private readonly inspection: ReturnType<typeof setInterval>;
  private readonly stopping = new AbortController();

  constructor(
    private readonly libp2p: Libp2p,
    private readonly events: MeshEvents,
    addresses: readonly PeerAddress[],
    seed: number,
  ) {
    this.ownId = libp2p.peerId.toString();
    this.backoff = new Backoff({ firstMs: 10, lastMs: 5_000 }, seed);
    this.targets = addresses.filter(({ peerId }) => peerId !== this.ownId)
      .map(({ multiaddr, peerId }, index) => ({
        ...{ index, multiaddr, peerId },
        ...{ dialing: false, tries: 0, timer: undefined },
      }));
    libp2p.addEventListener("connection:open", this.onOpen);
    libp2p.addEventListener("connection:close", this.onClose);
    this.inspection = setInterval(() => this.inspect(), inspectEveryMs);
  }

  /** Dials all of the list; returns at once. */
  start(): void {
    for (const target of this.targets) void this.dial(target);
  }

  stop(): void {
    clearInterval(this.inspection);
    for (const target of this.targets) clearTimeout(target.timer);
    this.stopping.abort(new Error("the network has ended"));
    this.libp2p.removeEventListener("connection:open", this.onOpen);
    this.libp2p.removeEventListener("connection:close", this.onClose);
  }

  /** The one connection of each peer. */
  connections(): IterableIterator<Connection> {
    return this.settledConnections.values();
  }

  connectionOf(peerId: string): Connection | undefined {
    return this.settledConnections.get(peerId);
  }

  size(): number {
    return this.settledConnections.size;
  }

  /** Whether, of two connections at once, that which this node has dialed is kept. */
  private prefersOwnDial(peerId: string): boolean {
    return this.ownId < peerId;
  }

  private async dial(target: Target): Promise<void> {
    if (this.stopping.signal.aborted || target.dialing) return;
    clearTimeout(target.timer);
    const { peerId } = target;
    if (peerId !== undefined && this.isThere(peerId)) return;
    target.dialing = true;
    try {
      const connection = await this.libp2p.dial(target.multiaddr, {
        signal: AbortSignal.any([this.stopping.signal, AbortSignal.timeout(dialTimeoutMs)]),
        // Otherwise the library takes a connection that is giving way for what is asked for, and
        // ends the newer of two to the same address, which here is the one that is kept.
        force: true,
      });
      target.peerId = connection.remotePeer.toString();
    } catch (cause) {
      if (this.stopping.signal.aborted) return;
      if (isOwnAddress(cause)) {
        target.peerId = this.ownId;
        return;
      }
      // One that has given way to the peer's own before the library was done is no failure.
      if (target.peerId === undefined || !this.isThere(target.peerId)) {
        this.events.dialFailed(cause);
      }
    } finally {
      target.dialing = false;
    }
    this.redial(target);
  }

  /** Dials after a wait, unless the peer is there by then. */
  private redial(target: Target): void {
    if (this.stopping.signal.aborted) return;
    if (target.peerId !== undefined && this.isThere(target.peerId)) return;
    clearTimeout(target.timer);
    const waitMs = this.backoff.waitNs(target.index, target.tries) / 1e6;
    target.tries++;
    target.timer = setTimeout(() => void this.dial(target), waitMs);
  }

  private isThere(peerId: string): boolean {
    return peerId === this.ownId || this.settledConnections.has(peerId);
  }

  private readonly onOpen = ({ detail: opened }: CustomEvent<Connection>): void => {
    const peerId = opened.remotePeer.toString();
    if (opened.direction === "outbound") this.learn(opened.remoteAddr.toString(), peerId);
    if (opened.status !== "open") return;
    const current = this.settledConnections.get(peerId);
    if (current !== undefined && current !== opened && current.status === "open") {
      const loser = this.loserOf(peerId, current, opened);
      this.givenWayAt.set(loser, performance.now());
      if (loser === opened) return;
      this.settle(peerId, opened);
      this.events.gaveWay(current);
      return;
    }
    this.settle(peerId, opened);
  };

  /**
   * Who is at an address that names no peer: a dial that arrives may fail all the same, where its
   * connection gives way at once.
   */
  private learn(remoteAddress: string, peerId: string): void {
    for (const target of this.targets) {
      if (target.peerId === undefined && remoteAddress === `${target.multiaddr}/p2p/${peerId}`) {
        target.peerId = peerId;
      }
    }
  }

  private loserOf(peerId: string, current: Connection, opened: Connection): Connection {
    if (ageMs(current) > simultaneousMs || current.direction === opened.direction) return current;
    const kept = this.prefersOwnDial(peerId) ? "outbound" : "inbound";
    return opened.direction === kept ? current : opened;
  }

  private settle(peerId: string, connection: Connection): void {
    this.settledConnections.set(peerId, connection);
    for (const target of this.targets) {
      if (target.peerId !== peerId) continue;
      target.tries = 0;
      clearTimeout(target.timer);
    }
    this.events.settled(connection);
  }

  private readonly onClose = ({ detail: closed }: CustomEvent<Connection>): void => {
    this.givenWayAt.delete(closed);
    const peerId = closed.remotePeer.toString();
    if (this.settledConnections.get(peerId) !== closed) return;
    this.settledConnections.delete(peerId);
    for (const other of this.givenWayAt.keys()) {
      if (other.status !== "open" || other.remotePeer.toString() !== peerId) continue;
      this.givenWayAt.delete(other);
      this.settle(peerId, other);
      return;
    }
    this.events.gone(closed.remotePeer);
    for (const target of this.targets) {
      if (target.peerId === peerId && !target.dialing) this.redial(target);
    }
  };

  private inspect(): void {
    for (const connection of this.settledConnections.values()) this.events.inspected(connection);
    const now = performance.now();
    for (const [connection, since] of this.givenWayAt) {
      const isLeft = connection.streams.length === 0 && now - since > leastGivingWayMs;
      if (!isLeft && now - since < mostGivingWayMs) continue;
      this.givenWayAt.delete(connection);
      close(connection);
    }
  }
}

function ageMs(connection: Connection): number {
  return Date.now() - connection.timeline.open;
}

function close(connection: Connection): void {
  connection.close({ signal: AbortSignal.timeout(1_000) }).catch((cause) =>
    connection.abort(cause)
  );
}

/** Whether a dial ended at this very node. */
function isOwnAddress(cause: unknown): boolean {
  const errors = cause instanceof AggregateError ? cause.errors : [cause];
  return errors.some((error) =>
    error instanceof Error && /dial(?:ed)? (?:to )?self/i.test(error.message)
  );
}
