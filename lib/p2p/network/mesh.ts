import { Backoff } from "../../load/backoff.ts";
import type { Multiaddr, PeerAddress } from "./addresses.ts";
import type { Connection, Libp2p, PeerId } from "./libp2p_types.ts";

/**
 * Keeps one connection to every peer of a list, for as long as it runs.
 *
 * Every node dials every other, so two connections between the same two often arise at once. Both
 * ends choose the same one without a word: that which the smaller peer id has dialed. The end with
 * the smaller id turns the other away before it is open, while its own dial is under way; if one was
 * open already, it is closed when the chosen one opens. Where the first is older than
 * {@linkcode simultaneousMs}, the peer has evidently lost it, and the newer is kept.
 */

/** Two connections that open further apart than this are no simultaneous dial. */
const simultaneousMs = 10_000;

/** An accepted handshake that has not become a connection after this long never will. */
const acceptedForMs = 2_000;

const dialTimeoutMs = 10_000;

/** Between two looks whether everything is as it should be. */
const inspectEveryMs = 1_000;

export interface MeshEvents {
  /** The connection that stands for a peer from now on; none other of that peer is left open. */
  settled(connection: Connection): void;
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
  /** When a handshake with a peer was accepted, by peer id, in milliseconds. */
  private readonly acceptedAt = new Map<string, number>();
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

  /**
   * Whether a peer that has just proved its identity on an incoming connection is turned away,
   * since a connection that is preferred to this one is there, or about to be.
   */
  turnsAway(peer: PeerId): boolean {
    const peerId = peer.toString();
    if (this.stopping.signal.aborted) return true;
    if (this.prefersOwnDial(peerId)) {
      const existing = this.settledConnections.get(peerId);
      const ownOpen = existing?.status === "open" && existing.direction === "outbound" &&
        ageMs(existing) < simultaneousMs;
      if (ownOpen || this.targets.some((each) => each.peerId === peerId && each.dialing)) {
        return true;
      }
    }
    this.acceptedAt.set(peerId, performance.now());
    return false;
  }

  /** Whether, of two connections at once, that which this node has dialed is kept. */
  private prefersOwnDial(peerId: string): boolean {
    return this.ownId < peerId;
  }

  private async dial(target: Target): Promise<void> {
    if (this.stopping.signal.aborted || target.dialing) return;
    clearTimeout(target.timer);
    const { peerId } = target;
    if (peerId !== undefined) {
      if (peerId === this.ownId || this.settledConnections.has(peerId)) return;
      const accepted = this.acceptedAt.get(peerId);
      if (accepted !== undefined && performance.now() - accepted < acceptedForMs) {
        target.timer = setTimeout(() => void this.dial(target), acceptedForMs / 10);
        return;
      }
    }
    target.dialing = true;
    try {
      const connection = await this.libp2p.dial(target.multiaddr, {
        signal: AbortSignal.any([this.stopping.signal, AbortSignal.timeout(dialTimeoutMs)]),
      });
      target.peerId = connection.remotePeer.toString();
    } catch (cause) {
      if (this.stopping.signal.aborted) return;
      if (isOwnAddress(cause)) {
        target.peerId = this.ownId;
        return;
      }
      // Turned away by a peer whose own connection is kept: not a failure.
      if (peerId === undefined || !this.settledConnections.has(peerId)) {
        this.events.dialFailed(cause);
      }
    } finally {
      target.dialing = false;
    }
    this.redial(target);
  }

  /** Dials after a wait, unless the peer is there by then. */
  private redial(target: Target): void {
    if (this.stopping.signal.aborted || target.peerId === this.ownId) return;
    if (target.peerId !== undefined && this.settledConnections.has(target.peerId)) return;
    clearTimeout(target.timer);
    const waitMs = this.backoff.waitNs(target.index, target.tries) / 1e6;
    target.tries++;
    target.timer = setTimeout(() => void this.dial(target), waitMs);
  }

  private readonly onOpen = ({ detail: opened }: CustomEvent<Connection>): void => {
    const peerId = opened.remotePeer.toString();
    this.acceptedAt.delete(peerId);
    if (opened.status !== "open") return;
    const current = this.settledConnections.get(peerId);
    if (current !== undefined && current !== opened && current.status === "open") {
      const loser = this.loserOf(peerId, current, opened);
      if (loser === opened) {
        close(opened);
        return;
      }
      this.settle(peerId, opened);
      close(current);
      return;
    }
    this.settle(peerId, opened);
  };

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
    const peerId = closed.remotePeer.toString();
    if (this.settledConnections.get(peerId) !== closed) return;
    this.settledConnections.delete(peerId);
    this.events.gone(closed.remotePeer);
    for (const target of this.targets) {
      if (target.peerId === peerId && !target.dialing) this.redial(target);
    }
  };

  private inspect(): void {
    for (const connection of this.libp2p.getConnections()) {
      const peerId = connection.remotePeer.toString();
      const settled = this.settledConnections.get(peerId);
      if (settled === connection) this.events.inspected(connection);
      else if (settled !== undefined && ageMs(connection) > simultaneousMs) close(connection);
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
