import type { Connection, PeerId, Stream } from "./libp2p_types.ts";

/** What is used of the library's router, and its types leave out. */
export interface StreamRouter {
  readonly streamsOutbound: Map<string, OutgoingStream>;
  readonly streamsInbound: Map<string, { readonly rawStream: Stream }>;
  onPeerConnected(peer: PeerId, connection: Connection): void;
  onPeerDisconnected(peer: PeerId): void;
  createOutboundStream(peer: PeerId, opener: Pick<Connection, "newStream">): Promise<void>;
  createInboundStream(peer: PeerId, stream: Stream): void;
  pipePeerReadStream(peer: PeerId, source: unknown): Promise<void>;
}

/** A stream as the library keeps it. */
export interface OutgoingStream {
  readonly rawStream: Stream;
  push(rpc: Uint8Array): void;
}

/** A stream whose protocol has not been agreed on after this long is opened anew. */
const openTimeoutMs = 10_000;

/** A peer that does not speak gossipsub is asked again after this long. */
const askAgainMs = 10_000;

/**
 * Sees to it that gossipsub has one outgoing stream to every connected peer, on the connection that
 * is kept, for as long as there is one. The library by itself
 * - opens one when identify has told it of the peer, and never when identify took over 5 s;
 * - opens them one after the other, each of which may take two minutes where the peer stands still;
 * - keeps a stream that ended while it was opened for good, and one of a connection that gives way
 *   until that ends;
 * - forgets a peer with its subscription, which the peer has no reason to send again, where a stream
 *   of the peer breaks or where another connection of it ends.
 */
export class GossipStreams {
  /** The one connection of each peer. */
  private readonly kept = new Map<string, Connection>();
  private readonly opening = new Set<string>();
  /** When the peer said that it does not speak gossipsub. */
  private readonly refusedAt = new WeakMap<Connection, number>();
  private readonly createOutbound: StreamRouter["createOutboundStream"];
  /** The library opens no stream where it has one. */
  private isReplacing = false;

  /**
   * To be created before the router starts.
   *
   * @param inUse what goes to the peer goes to this stream from now on.
   */
  constructor(
    private readonly router: StreamRouter,
    private readonly inUse: (peer: string, stream: Stream) => void,
  ) {
    this.createOutbound = router.createOutboundStream.bind(router);
    router.createOutboundStream = (peer) => {
      void this.open(peer);
      return Promise.resolve();
    };
    this.watchOutgoing();
    this.watchIncoming();
    const forget = router.onPeerDisconnected.bind(router);
    router.onPeerDisconnected = (peer) => {
      if (this.kept.get(peer.toString())?.status !== "open") forget(peer);
    };
  }

  /** The connection of a peer from now on. */
  settled(connection: Connection): void {
    this.kept.set(connection.remotePeer.toString(), connection);
    this.inspected(connection);
  }

  /** To be called once a second for each connection. */
  inspected({ remotePeer }: Connection): void {
    const connection = this.lackingStream(remotePeer);
    if (connection !== undefined) this.router.onPeerConnected(remotePeer, connection);
  }

  /** No connection to the peer is left. */
  gone(peer: PeerId): void {
    this.kept.delete(peer.toString());
    this.router.onPeerDisconnected(peer);
  }

  /** The connection of a peer, where it ought to have a stream and has none. */
  private lackingStream(peer: PeerId): Connection | undefined {
    const id = peer.toString();
    const connection = this.kept.get(id);
    if (connection?.status !== "open") return undefined;
    const refusedAt = this.refusedAt.get(connection);
    if (refusedAt !== undefined && performance.now() - refusedAt < askAgainMs) return undefined;
    const stream = this.router.streamsOutbound.get(id)?.rawStream;
    const isThere = stream !== undefined && isWritable(stream) &&
      connection.streams.includes(stream);
    return isThere ? undefined : connection;
  }

  /** Never rejects: the library catches. */
  private async open(peer: PeerId): Promise<void> {
    const id = peer.toString();
    if (this.opening.has(id)) return;
    this.opening.add(id);
    let tried: Connection | undefined;
    for (;;) {
      const connection = this.lackingStream(peer);
      if (connection === undefined || connection === tried) break;
      tried = connection;
      this.isReplacing = true;
      const created = this.createOutbound(peer, {
        newStream: (protocols, options) => this.newStream(connection, protocols, options),
      });
      this.isReplacing = false;
      await created;
    }
    this.opening.delete(id);
  }

  private async newStream(
    connection: Connection,
    ...[protocols, options]: Parameters<Connection["newStream"]>
  ): Promise<Stream> {
    try {
      const signal = AbortSignal.timeout(openTimeoutMs);
      const stream = await connection.newStream(protocols, { ...options, signal });
      // Nobody is told of an end that comes before anyone listens.
      if (!isWritable(stream)) throw new Error("the stream ended while it was opened");
      // When the library has noticed it too.
      const onClose = () => setImmediate(() => this.inspected(connection));
      stream.addEventListener("close", onClose, { once: true });
      return stream;
    } catch (error) {
      if (error instanceof Error && error.name === "UnsupportedProtocolError") {
        this.refusedAt.set(connection, performance.now());
      }
      throw error;
    }
  }

  private watchOutgoing(): void {
    const { streamsOutbound: streams } = this.router;
    const has = streams.has.bind(streams);
    const set = streams.set.bind(streams);
    streams.has = (peer) => !this.isReplacing && has(peer);
    streams.set = (peer, stream) => {
      if (!isWritable(stream.rawStream)) return streams;
      const earlier = streams.get(peer)?.rawStream;
      set(peer, stream);
      this.inUse(peer, stream.rawStream);
      if (earlier !== undefined) closeWhenSent(earlier);
      return streams;
    };
  }

  /** A stream that is no longer read is ended, so that the peer opens another. */
  private watchIncoming(): void {
    const { router } = this;
    const accept = router.createInboundStream.bind(router);
    const read = router.pipePeerReadStream.bind(router);
    let accepted: Stream | undefined;
    router.createInboundStream = (peer, stream) => {
      accepted = stream;
      accept(peer, stream);
      accepted = undefined;
    };
    router.pipePeerReadStream = async (peer, source) => {
      const stream = accepted;
      await read(peer, source);
      if (stream === undefined) return;
      const id = peer.toString();
      if (router.streamsInbound.get(id)?.rawStream === stream) router.streamsInbound.delete(id);
      if (stream.remoteWriteStatus === "closed") close(stream);
      else stream.abort(new Error("the stream has bytes that are no RPCs of gossipsub"));
    };
  }
}

function isWritable(stream: Stream): boolean {
  return stream.status === "open" && stream.writeStatus === "writable";
}

/** Nothing more will be written; what waits still goes. */
function closeWhenSent(stream: Stream): void {
  if (stream.writeBufferLength === 0) close(stream);
  else stream.addEventListener("idle", () => close(stream), { once: true });
}

function close(stream: Stream): void {
  stream.close().catch((error) => stream.abort(error));
}
