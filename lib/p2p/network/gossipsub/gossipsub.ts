import { createHost, type Host } from "../host.ts";
import { privateKeyOf, secretOf } from "../../identity.ts";
import type { Connection, PeerId, Stream } from "../libp2p_types.ts";
import type {
  BroadcastNetwork,
  ClockOffset,
  DropReason,
  NetworkHandlers,
  NetworkSettings,
} from "../network.ts";
import { stressTestTopic } from "../topic.ts";
import { FrameReader } from "./frame_reader.ts";
import { Outbox, type Outgoing } from "./outbox.ts";
import {
  addPeer,
  gossipsubProtocols,
  handleControl,
  idontwantBytes,
  type Router,
  routerService,
  routerStream,
} from "./router.ts";
import { isSignedBy, peerIdBytes, signer, type Source, Sources } from "./sources.ts";
import {
  emptyParts,
  type MessageParts,
  messagesTag,
  MessageWriter,
  readMessage,
  readRpcField,
  type RpcField,
  signPrefix,
  varintOf,
} from "./wire.ts";

/** The longest message, header included, in bytes. */
export const longestMessage = 4 * 1024 * 1024;

/** The longest RPC that is read: a longest message with its envelope, and control beside it. */
const longestRpc = 2 * longestMessage;

/** Streams of gossipsub that a peer may have open to us at once. */
const mostInboundStreams = 16;

/** What is asked of a stream beyond libp2p's interface, to save window updates. */
interface YamuxStream extends Stream {
  recvWindow: number;
  readonly recvWindowCapacity: number;
  readonly state: number;
  sendWindowUpdate(): void;
}

/** Bytes that a peer may send ahead on its stream of messages, all of which are read at once. */
const receiveWindow = 16 * 1024 * 1024;

const latin1Bytes = (text: string) => Buffer.from(text, "latin1");

/**
 * Gossipsub with the message plane on its own: see `router.ts` for what the library does, and here
 * for how messages come and go.
 */
class Gossipsub implements BroadcastNetwork {
  private router!: Router;
  private host!: Host;
  private readonly outboxes = new Map<string, Outbox>();
  private readonly opening = new Set<Connection>();
  private readonly sources = new Sources();
  private readonly writer: MessageWriter;
  private readonly ownSource: Source;
  private readonly topicBytes = latin1Bytes(stressTestTopic);
  private readonly parts: MessageParts = emptyParts();
  private readonly field: RpcField = { tag: 0, start: 0, end: 0 };
  /** Reused for each signature that is checked; grows to the longest message. */
  private signed = new Uint8Array(8 * 1024);
  /** Nanoseconds since the epoch, as go and rust count them from. */
  private sequence = BigInt(Date.now()) * 1_000_000n;
  private waiting = 0;
  private inbound = 0;
  private invalid = 0;
  private stopped = false;
  private dirty: Outbox[] = [];

  private constructor(
    private readonly settings: NetworkSettings,
    private readonly handlers: NetworkHandlers,
    publicKey: Uint8Array,
  ) {
    const ownId = peerIdBytes(publicKey);
    const ownSource = this.sources.of(ownId, 0, ownId.byteLength);
    if (ownSource === undefined) throw new Error("the own peer id contains no ed25519 key");
    this.ownSource = ownSource;
    this.writer = new MessageWriter(
      ownId,
      stressTestTopic,
      signer(secretOf(settings.nodeId), publicKey),
    );
  }

  static async start(
    settings: NetworkSettings,
    handlers: NetworkHandlers,
  ): Promise<BroadcastNetwork> {
    const { publicKey } = await privateKeyOf(settings.nodeId);
    const network = new Gossipsub(settings, handlers, publicKey.raw);
    network.host = await createHost(settings, handlers, {
      serves: {
        protocols: gossipsubProtocols,
        handler: (stream, connection) => network.accept(stream, connection),
      },
      settled: (connection) => void network.open(connection),
      gone: (peer) => network.remove(peer),
      inspected: (connection) => void network.open(connection),
    }, {
      gossipsub: routerService(stressTestTopic, (router) => network.router = router),
    });
    network.router.subscribe(stressTestTopic);
    network.host.dial();
    return network;
  }

  get peerId(): string {
    return this.host.peerId;
  }

  get addresses(): readonly string[] {
    return this.host.addresses;
  }

  connectedPeers(): number {
    return this.host.connectedPeers();
  }

  reachablePeers(): number {
    let reachable = 0;
    for (const peer of this.router.topics.get(stressTestTopic) ?? []) {
      if (this.outboxes.get(peer)?.isOpen === true) reachable++;
    }
    return reachable;
  }

  activeInbound(): number {
    return this.inbound;
  }

  activeOutbound(): number {
    return this.outboxes.size;
  }

  blacklisted(): number {
    return this.host.blacklisted();
  }

  invalidMessages(): number {
    return this.invalid;
  }

  queued(): number {
    return this.waiting;
  }

  clockOffsets(): readonly ClockOffset[] {
    return this.host.clockOffsets();
  }

  async stop(): Promise<void> {
    if (!this.stopped) {
      this.stopped = true;
      this.waiting = 0;
    }
    await this.host.stop();
  }

  publish(message: Uint8Array, token: number): DropReason | undefined {
    if (message.byteLength > longestMessage) return "message_too_large";
    if (this.waiting >= this.settings.bufferSize) return "all_queues_full";
    const peers = this.router.topics.get(stressTestTopic);
    if (peers === undefined || this.reachablePeers() === 0) return "no_peers_subscribed_to_topic";
    const sequence = ++this.sequence;
    const id = this.ownSource.peerId + sequence;
    if (this.router.seenCache.has(id)) return "duplicate";
    const sequenceBytes = new Uint8Array(8);
    new DataView(sequenceBytes.buffer).setBigUint64(0, sequence);
    let written;
    try {
      written = this.writer.write(message, sequenceBytes);
    } catch {
      return "signing_error";
    }
    const outgoing: Outgoing = { token, open: 1, handed: 0 };
    let taken = 0;
    this.waiting++;
    for (const peer of peers) {
      const outbox = this.outboxes.get(peer);
      if (outbox === undefined || outbox.isFull || !outbox.isOpen) continue;
      taken++;
      outgoing.open++;
      outbox.add(written.frame, outgoing);
    }
    if (taken === 0) {
      this.waiting--;
      return "all_queues_full";
    }
    const { router } = this;
    router.seenCache.put(id);
    router.mcache.put(
      { msgId: latin1Bytes(id), msgIdStr: id },
      {
        from: written.from,
        data: written.data,
        seqno: written.sequence,
        topic: stressTestTopic,
        signature: written.signature,
      },
      true,
    );
    this.done(outgoing, false);
    return undefined;
  }

  /** A peer has the message, or never will from us; the first call is `publish`'s own. */
  private done(outgoing: Outgoing, handed: boolean): void {
    if (handed) outgoing.handed++;
    if (--outgoing.open > 0 || this.stopped) return;
    this.waiting--;
    if (outgoing.handed > 0) this.handlers.sent(outgoing.token);
    else this.handlers.dropped("no_peers_subscribed_to_topic", outgoing.token);
  }

  private readonly flushLater = (outbox: Outbox): void => {
    if (this.dirty.length === 0) setImmediate(this.flushAll);
    this.dirty.push(outbox);
  };

  private readonly flushAll = (): void => {
    const { dirty } = this;
    this.dirty = [];
    for (const outbox of dirty) outbox.flush();
  };

  /** Opens the stream to a peer, unless it is open. */
  private async open(connection: Connection): Promise<void> {
    const peer = connection.remotePeer.toString();
    const current = this.outboxes.get(peer);
    if (this.stopped || this.opening.has(connection)) return;
    if (current?.connection === connection && current.isOpen) return;
    this.opening.add(connection);
    try {
      const stream = await connection.newStream([...gossipsubProtocols]);
      if (this.stopped) return;
      if (this.host.connectionOf(connection.remotePeer) !== connection) {
        void stream.close().catch(() => {});
        return;
      }
      const outbox = new Outbox(stream, connection, {
        done: (outgoing, handed) => this.done(outgoing, handed),
      }, this.flushLater);
      stream.addEventListener("close", () => {
        if (this.outboxes.get(peer) !== outbox) return;
        this.outboxes.delete(peer);
        this.router.streamsOutbound.delete(peer);
      });
      this.outboxes.set(peer, outbox);
      addPeer(this.router, connection);
      this.router.streamsOutbound.set(peer, routerStream(outbox, stream));
      this.router.sendSubscriptions(peer, [...this.router.subscriptions], true);
      void current?.close();
    } catch {
      // The peer does not speak gossipsub (now), or is gone: the next inspection tries again.
    } finally {
      this.opening.delete(connection);
    }
  }

  private remove(peer: PeerId): void {
    this.outboxes.delete(peer.toString());
    this.router.removePeer(peer);
  }

  /** A peer has opened its stream to us. */
  private accept(stream: Stream, connection: Connection): void {
    const open = connection.streams.filter(({ direction, protocol }) =>
      direction === "inbound" && gossipsubProtocols.includes(protocol)
    );
    if (this.stopped || open.length > mostInboundStreams) {
      stream.abort(new Error("too many streams of gossipsub"));
      return;
    }
    addPeer(this.router, connection);
    this.inbound++;
    stream.addEventListener("close", () => this.inbound--);
    saveWindowUpdates(stream as YamuxStream);
    const peer = connection.remotePeer;
    const peerText = peer.toString();
    const reader = new FrameReader(
      longestRpc,
      (frame) => this.receiveRpc(peer, peerText, frame),
    );
    stream.addEventListener("message", ({ data }) => {
      if (this.stopped) return;
      try {
        reader.read(data);
      } catch (cause) {
        this.invalid++;
        stream.abort(cause instanceof Error ? cause : new Error(String(cause)));
      }
    });
    // Nothing is ever said on the stream of the other side.
    stream.addEventListener("remoteCloseWrite", () => void stream.close().catch(() => {}));
  }

  /** @throws {Error} it is malformed. */
  private receiveRpc(peer: PeerId, peerText: string, rpc: Uint8Array): void {
    const { field } = this;
    let hasControl = false;
    for (let at = 0; at < rpc.byteLength; at = field.end) {
      if (!readRpcField(rpc, at, field)) throw new Error("an RPC of gossipsub is malformed");
      if (field.tag !== messagesTag) {
        hasControl = true;
        continue;
      }
      const { start, end } = field;
      this.receiveMessage(peerText, rpc, at, start, end);
    }
    if (hasControl) void handleControl(this.router, peer, rpc).catch(() => this.invalid++);
  }

  private receiveMessage(
    peer: string,
    rpc: Uint8Array,
    fieldStart: number,
    start: number,
    end: number,
  ): void {
    const { parts } = this;
    if (!readMessage(rpc, start, end, parts)) throw new Error("a message is malformed");
    if (!this.isOurTopic(rpc, parts)) return;
    const source = parts.fromStart < 0
      ? undefined
      : this.sources.of(rpc, parts.fromStart, parts.fromEnd);
    if (source === undefined || parts.sequenceEnd - parts.sequenceStart !== 8) {
      this.invalid++;
      return;
    }
    const id = source.peerId + sequenceAt(rpc, parts.sequenceStart);
    const { router } = this;
    if (router.seenCache.has(id)) return;
    if (!this.isSigned(rpc, start, parts, source)) {
      this.invalid++;
      return;
    }
    router.seenCache.put(id);
    const messageId = { msgId: latin1Bytes(id), msgIdStr: id };
    const data = rpc.subarray(Math.max(parts.dataStart, 0), Math.max(parts.dataEnd, 0));
    if (data.byteLength >= idontwantBytes) {
      router.sendIDontWants(messageId.msgId, stressTestTopic, peer);
    }
    router.gossipTracer.deliverMessage(id);
    router.mcache.put(messageId, {
      from: rpc.subarray(parts.fromStart, parts.fromEnd),
      data,
      seqno: rpc.subarray(parts.sequenceStart, parts.sequenceEnd),
      topic: stressTestTopic,
      signature: rpc.subarray(parts.signatureStart, parts.signatureEnd),
      ...(parts.keyStart < 0 ? {} : { key: rpc.subarray(parts.keyStart, parts.keyEnd) }),
    }, true);
    this.forward(peer, source, id, rpc.subarray(fieldStart, end));
    this.handlers.received(data);
  }

  private isOurTopic(rpc: Uint8Array, { topicStart, topicEnd }: MessageParts): boolean {
    const { topicBytes } = this;
    if (topicStart < 0 || topicEnd - topicStart !== topicBytes.byteLength) return false;
    for (let i = 0; i < topicBytes.byteLength; i++) {
      if (rpc[topicStart + i] !== topicBytes[i]) return false;
    }
    return true;
  }

  private isSigned(
    rpc: Uint8Array,
    start: number,
    parts: MessageParts,
    source: Source,
  ): boolean {
    if (parts.signatureStart < 0 || parts.signedEnd < 0) return false;
    if (parts.keyStart >= 0 && !isSame(rpc, parts.keyStart, parts.keyEnd, source.keyBytes)) {
      return false;
    }
    const bytes = signPrefix.byteLength + parts.signedEnd - start;
    if (this.signed.byteLength < bytes) this.signed = new Uint8Array(bytes * 2);
    this.signed.set(signPrefix);
    this.signed.set(rpc.subarray(start, parts.signedEnd), signPrefix.byteLength);
    return isSignedBy(
      source,
      this.signed.subarray(0, bytes),
      rpc.subarray(parts.signatureStart, parts.signatureEnd),
    );
  }

  /** Sends a message on to the mesh, as it came: `field` is the field of an RPC that holds it. */
  private forward(from: string, source: Source, id: string, field: Uint8Array): void {
    const { router, outboxes } = this;
    const mesh = router.mesh.get(stressTestTopic);
    if (mesh === undefined) return;
    let length: Uint8Array | undefined;
    for (const peer of mesh) {
      if (peer === from || peer === source.peerId) continue;
      if (router.idontwants.get(peer)?.has(id) === true) continue;
      const outbox = outboxes.get(peer);
      if (outbox === undefined || outbox.isFull) continue;
      length ??= varintOf(field.byteLength);
      outbox.add(length);
      outbox.add(field);
    }
  }
}

/** The decimal form of a sequence number of 8 big-endian bytes. */
function sequenceAt(bytes: Uint8Array, at: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 8);
  return view.getBigUint64(0).toString();
}

function isSame(bytes: Uint8Array, start: number, end: number, other: Uint8Array): boolean {
  if (end - start !== other.byteLength) return false;
  for (let i = 0; i < other.byteLength; i++) if (bytes[start + i] !== other[i]) return false;
  return true;
}

/** `StreamState.Established` of `@libp2p/yamux`. */
const established = 3;

/**
 * Widens the receive window at once, and renews it when half is used up: the library sends an update
 * for each frame, which costs as much as a small message.
 */
function saveWindowUpdates(stream: YamuxStream): void {
  if (typeof stream.sendWindowUpdate !== "function") return;
  const sendWindowUpdate = stream.sendWindowUpdate.bind(stream);
  stream.recvWindow = receiveWindow;
  stream.sendWindowUpdate = () => {
    if (stream.state !== established || stream.recvWindowCapacity * 2 < stream.recvWindow) {
      sendWindowUpdate();
    }
  };
}

/** A node that broadcasts over gossipsub. */
export const startGossipsub = (
  settings: NetworkSettings,
  handlers: NetworkHandlers,
): Promise<BroadcastNetwork> => Gossipsub.start(settings, handlers);
