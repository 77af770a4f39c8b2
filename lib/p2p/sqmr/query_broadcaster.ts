import { errorOf } from "../../errors.ts";
import type { Connection, PeerId, Stream } from "../network/libp2p_types.ts";
import type { DropReason, NetworkHandlers, NetworkSettings } from "../network/network.ts";
import { readStream } from "../network/stream_reader.ts";
import { writesOf } from "../network/write_joiner.ts";
import type { Deadlines } from "./deadlines.ts";
import { maximumMessageBytes, ResponseDecoder } from "./framing.ts";
import { MessageQueue, type QueuedMessage } from "./message_queue.ts";
import { isRefusal, maximumQueuedBytes, openSession, sqmrProtocols } from "./session_settings.ts";

/**
 * Sessions with one peer at the same time. rust-libp2p negotiates 128 incoming streams of a
 * connection at most and drops what comes beyond (`max_negotiating_inbound_streams`).
 */
const sessionsPerPeer = 100;

interface Peer {
  readonly connection: Connection;
  /** All at first; the one that was agreed on afterwards. */
  protocols: readonly string[];
  sessions: number;
  /** It knows none of the protocols. */
  refuses: boolean;
}

/** A query whose stream is open. */
interface Query {
  readonly message: QueuedMessage;
  /** It and the end of its half were written; it is not known yet whether they left the process. */
  isLeaving: boolean;
  /** The peer has ended the session, which it does when it has the whole query. */
  isAnswered: boolean;
  isFinished: boolean;
}

/** Nothing can take a message, as none of the peers can. */
const noPeer: DropReason = "no_peers_subscribed_to_topic";

/**
 * Sends each message as a query to one peer, the peers taking turns; one that has
 * {@linkcode sessionsPerPeer} unanswered queries is passed over until it answers.
 *
 * A message is sent when the query and the end of its half of the stream have been handed to the
 * connection's socket. One for which no stream could be opened is tried once more, with the next
 * peer; where that fails too, it is dropped. A query of which anything was written is never sent
 * again: whether the peer had it is not known.
 */
export class QueryBroadcaster {
  private readonly peers: Peer[] = [];
  private readonly queue = new MessageQueue();
  private readonly streams = new Set<Stream>();
  private turn = 0;
  /** Taken, neither sent nor dropped, and no longer in the queue. */
  private starting = 0;
  private startingBytes = 0;
  private stopped = false;

  constructor(
    private readonly settings: NetworkSettings,
    private readonly handlers: Pick<NetworkHandlers, "sent" | "dropped">,
    private readonly deadlines: Deadlines,
  ) {}

  settled(connection: Connection): void {
    const peer = { connection, protocols: sqmrProtocols, sessions: 0, refuses: false };
    const known = this.placeOf(connection.remotePeer);
    if (known < 0) this.peers.push(peer);
    else this.peers[known] = peer;
    this.startQueued();
  }

  gone(peerId: PeerId): void {
    const place = this.placeOf(peerId);
    if (place >= 0) this.peers.splice(place, 1);
    this.dropUnlessUsable();
  }

  /** As {@linkcode BroadcastNetwork.publish}. */
  publish(message: Uint8Array, token: number): DropReason | undefined {
    if (message.length > maximumMessageBytes) return "message_too_large";
    if (this.reachablePeers() === 0) return noPeer;
    const isFull = this.queued() >= this.settings.bufferSize ||
      this.queue.bytes + this.startingBytes + message.length > maximumQueuedBytes;
    if (isFull) return "all_queues_full";
    this.queue.push({ bytes: new Uint8Array(message), token });
    this.startQueued();
    return undefined;
  }

  /** Peers that speak the protocol, or have not said yet that they do not. */
  reachablePeers(): number {
    let peers = 0;
    for (const peer of this.peers) if (!peer.refuses) peers++;
    return peers;
  }

  queued(): number {
    return this.queue.length + this.starting;
  }

  sessions(): number {
    return this.streams.size;
  }

  stop(): void {
    this.stopped = true;
    for (const stream of [...this.streams]) stream.abort(new Error("the network has ended"));
    this.peers.length = 0;
  }

  private placeOf(peerId: PeerId): number {
    return this.peers.findIndex(({ connection }) => connection.remotePeer.equals(peerId));
  }

  private startQueued(): void {
    while (this.queue.length > 0) {
      const peer = this.next(sessionsPerPeer);
      if (peer === undefined) return;
      const message = this.queue.shift();
      if (message === undefined) return;
      this.starting++;
      this.startingBytes += message.bytes.length;
      void this.send(message, peer);
    }
  }

  /** The next peer in turn that has fewer sessions than these. */
  private next(sessions: number, except?: Peer): Peer | undefined {
    for (let i = 0; i < this.peers.length; i++) {
      const place = (this.turn + i) % this.peers.length;
      const peer = this.peers[place];
      if (peer === undefined || peer.refuses || peer === except) continue;
      if (peer.sessions >= sessions || peer.connection.status !== "open") continue;
      this.turn = (place + 1) % this.peers.length;
      return peer;
    }
    return undefined;
  }

  /** Never rejects. */
  private async send(message: QueuedMessage, peer: Peer): Promise<void> {
    const stream = await this.open(peer);
    if (stream !== undefined) return await this.ask(message, peer, stream);
    const other = this.stopped ? undefined : this.next(Infinity, peer);
    const otherStream = other === undefined ? undefined : await this.open(other);
    if (other !== undefined && otherStream !== undefined) {
      return await this.ask(message, other, otherStream);
    }
    this.finish(message, noPeer);
    this.dropUnlessUsable();
    this.startQueued();
  }

  /** A stream to a peer, which counts as one of its sessions; nothing where none can be had. */
  private async open(peer: Peer): Promise<Stream | undefined> {
    peer.sessions++;
    try {
      const stream = await openSession(peer.connection, peer.protocols, this.deadlines.next());
      peer.protocols = [stream.protocol];
      this.streams.add(stream);
      return stream;
    } catch (error) {
      peer.sessions--;
      if (isRefusal(error)) peer.refuses = true;
      return undefined;
    }
  }

  private async ask(message: QueuedMessage, peer: Peer, stream: Stream): Promise<void> {
    const deadline = this.deadlines.next();
    const query: Query = { message, isLeaving: false, isAnswered: false, isFinished: false };
    const onTimeout = () => stream.abort(new Error("the query was not answered in time"));
    deadline.addEventListener("abort", onTimeout, { once: true });
    // Responses count for nothing here, yet are read to the end, and must be well formed.
    const decoder = new ResponseDecoder(() => {});
    readStream(stream, {
      piece: (bytes) => decoder.push(bytes),
      ended: (failure) => {
        query.isAnswered = failure === undefined;
        deadline.removeEventListener("abort", onTimeout);
        this.streams.delete(stream);
        peer.sessions--;
        if (query.isLeaving) this.left(query, query.isAnswered);
        this.startQueued();
      },
    });
    try {
      if (message.bytes.length > 0) stream.send(message.bytes);
      await stream.close({ signal: deadline });
      query.isLeaving = true;
      const waits = !query.isAnswered &&
        writesOf(stream)?.afterAll((wasTaken) => this.left(query, wasTaken)) === true;
      if (!waits) this.left(query, true);
    } catch (error) {
      stream.abort(errorOf(error));
      this.finish(message, noPeer);
    }
  }

  /** A query has left the process, or never will. */
  private left(query: Query, wasTaken: boolean): void {
    if (query.isFinished) return;
    query.isFinished = true;
    this.finish(query.message, wasTaken || query.isAnswered ? undefined : noPeer);
  }

  private finish({ token, bytes }: QueuedMessage, reason: DropReason | undefined): void {
    this.starting--;
    this.startingBytes -= bytes.length;
    if (this.stopped) return;
    if (reason === undefined) this.handlers.sent(token);
    else this.handlers.dropped(reason, token);
  }

  /** What waits has nobody to go to. */
  private dropUnlessUsable(): void {
    if (this.stopped || this.reachablePeers() > 0) return;
    for (let message = this.queue.shift(); message !== undefined; message = this.queue.shift()) {
      this.handlers.dropped(noPeer, message.token);
    }
  }
}
