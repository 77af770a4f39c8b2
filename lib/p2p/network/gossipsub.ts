import { type GossipSub, gossipsub, type GossipSubComponents } from "@libp2p/gossipsub";
import { Authors, type Forwarder, spareAuthors } from "./authors.ts";
import { GossipStreams, type StreamRouter } from "./gossip_streams.ts";
import { createHost, type Host } from "./host.ts";
import { type Forwards, HeldForwards, mostMeshPeers } from "./held_forwards.ts";
import { type BatchSender, leaveOutKey } from "./implied_key.ts";
import { fastIdOf, knowSigners, type Validator } from "./known_signers.ts";
import { latin1Text } from "./latin1_text.ts";
import {
  liftLengthLimit,
  longestInBatch,
  longestMessage,
  longestRpc,
  type LongStream,
} from "./long_messages.ts";
import type {
  BroadcastNetwork,
  ClockOffset,
  DropReason,
  NetworkHandlers,
  NetworkSettings,
} from "./network.ts";
import { type Refuser, whenRefused } from "./refused_messages.ts";
import { type CopyRemover, whenCopyRemoved } from "./removed_copies.ts";
import { readAtOnce, type RpcReceiver } from "./rpc_reader.ts";
import { SendMeter } from "./send_meter.ts";
import { stressTestTopic } from "./topic.ts";
import { type Judge, judgeNobody } from "./unjudged.ts";

/** Bytes of published messages that may wait for their slowest peer. */
const mostWaitingBytes = 256 * 1024 * 1024;

/** Bytes that may wait for one peer, those forwarded too; the library ends its stream beyond that. */
const mostPeerBytes = 256 * 1024 * 1024;

/** Messages of fewer bytes are sent again sooner than it is said that they are not wanted. */
const idontwantBytes = 1024 * 1024;

/** Messages of which one peer may say between two heartbeats that it has them. */
const mostIdontwants = 100_000;

/** As rust-libp2p forgets them. */
const duplicatesForgottenMs = 60_000;

/** The versions of the protocol, newest first. */
export const gossipsubProtocols: readonly string[] = [
  "/meshsub/1.2.0",
  "/meshsub/1.1.0",
  "/meshsub/1.0.0",
];

/** A published message on its way to several peers. */
interface Outgoing {
  readonly token: number;
  readonly sizeBytes: number;
  /** Peers whose stream has not handed it on yet, and those whose stream has. */
  open: number;
  handedOn: number;
}

/** A node that broadcasts with `@libp2p/gossipsub`, set as rust-libp2p is by default. */
class Gossipsub implements BroadcastNetwork {
  private host!: Host;
  private router!: Router;
  /** With `--forwarding sparing`. */
  private forwards: HeldForwards | undefined;
  private streams!: GossipStreams;
  /** The outgoing stream of each peer that has one. */
  private readonly meters = new Map<string, SendMeter<Outgoing>>();
  private refused = 0;
  private copies = 0;
  private waiting = 0;
  private waitingBytes = 0;
  private stopped = false;

  private constructor(
    private readonly settings: NetworkSettings,
    private readonly handlers: NetworkHandlers,
  ) {}

  static async start(
    settings: NetworkSettings,
    handlers: NetworkHandlers,
  ): Promise<BroadcastNetwork> {
    const network = new Gossipsub(settings, handlers);
    network.host = await createHost(settings, handlers, {
      settled: (connection) => network.streams.settled(connection),
      gone: (peer) => {
        network.streams.gone(peer);
        network.forwards?.inspected(false);
      },
      inspected: (connection) => {
        network.streams.inspected(connection);
        network.forwards?.inspected(network.reachablePeers() >= settings.numNodes - 1);
      },
    }, {
      gossipsub: (components: GossipSubComponents) => network.createRouter(components),
    });
    network.router.addEventListener("gossipsub:message", ({ detail }) => {
      if (network.stopped) return;
      const { msg, msgId, propagationSource } = detail;
      if (network.forwards !== undefined) {
        const isFromAuthor = msg.type === "signed" && msg.from.equals(propagationSource);
        network.forwards.received(msgId, propagationSource.toString(), isFromAuthor);
      }
      handlers.received(msg.data);
    });
    network.router.subscribe(stressTestTopic);
    network.host.dial();
    return network;
  }

  private createRouter(components: GossipSubComponents): Router {
    const isSparing = this.settings.forwarding !== "at-once";
    const authors = new Authors();
    const encoder = new TextEncoder();
    this.router = gossipsub({
      allowedTopics: [stressTestTopic],
      // It forwards when HeldForwards says so.
      asyncValidation: isSparing,
      D: 6,
      Dhi: mostMeshPeers,
      Dlo: 5,
      emitSelf: false,
      fallbackToFloodsub: false,
      floodPublish: true,
      globalSignaturePolicy: "StrictSign",
      heartbeatInterval: 1_000,
      idontwantMaxMessages: mostIdontwants,
      idontwantMinDataSize: isSparing ? 0 : idontwantBytes,
      maxOutboundBufferSize: mostPeerBytes,
      seenTTL: duplicatesForgottenMs,
      tagMeshPeers: false,
      // Author and sequence number tell a duplicate before its signature is verified again.
      fastMsgIdFn: fastIdOf,
      // The default id of rust-libp2p.
      msgIdFn: (message) => {
        if (message.type !== "signed") throw new TypeError("an unsigned message came this far");
        const { name } = authors.of(
          message.from.toMultihash().bytes,
          () => message.from.toString(),
        );
        return encoder.encode(name + message.sequenceNumber);
      },
      msgIdToStrFn: latin1Text,
      // Nobody is judged, as rust-libp2p has it unless told otherwise: the nodes of a benchmark often
      // share an address, which alone would bar them.
      scoreParams: {
        appSpecificWeight: 0,
        behaviourPenaltyWeight: 0,
        IPColocationFactorWeight: 0,
        topics: {},
      },
    })(components) as unknown as Router;
    if (isSparing) this.forwards = new HeldForwards(this.router);
    judgeNobody(this.router as unknown as Judge);
    liftLengthLimit(this.router);
    whenRefused(this.router, () => this.refused++);
    whenCopyRemoved(this.router, () => this.copies++);
    knowSigners(this.router as unknown as Validator, stressTestTopic);
    leaveOutKey(this.router as unknown as BatchSender);
    spareAuthors(this.router as unknown as Forwarder, authors);
    readAtOnce(this.router as unknown as RpcReceiver, longestRpc);
    this.streams = new GossipStreams(this.router, (peer, stream) => {
      const meter = new SendMeter(stream, this.passedOn);
      this.meters.set(peer, meter);
      stream.addEventListener("close", () => {
        if (this.meters.get(peer) === meter) this.meters.delete(peer);
      }, { once: true });
    });
    return this.router;
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
    for (const peer of this.router.getSubscribers(stressTestTopic)) {
      if (this.meters.get(peer.toString())?.isOpen === true) reachable++;
    }
    return reachable;
  }

  activeInbound(): number {
    return this.countStreams("inbound");
  }

  activeOutbound(): number {
    return this.countStreams("outbound");
  }

  private countStreams(direction: "inbound" | "outbound"): number {
    let count = 0;
    for (const { streams } of this.host.connections()) {
      for (const stream of streams) {
        if (stream.direction === direction && gossipsubProtocols.includes(stream.protocol)) count++;
      }
    }
    return count;
  }

  blacklisted(): number {
    return this.host.blacklisted();
  }

  invalidMessages(): number {
    return this.refused;
  }

  overflowed(): number {
    return 0;
  }

  removedCopies(): number {
    return this.copies;
  }

  queued(): number {
    return this.waiting;
  }

  clockOffsets(): readonly ClockOffset[] {
    return this.host.clockOffsets();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.waiting = 0;
    this.forwards?.stop();
    await this.host.stop();
  }

  publish(message: Uint8Array, token: number): DropReason | undefined {
    if (message.byteLength > longestMessage) return "message_too_large";
    const sizeBytes = message.byteLength;
    const isFull = this.waiting >= this.settings.bufferSize ||
      (this.waiting > 0 && this.waitingBytes + sizeBytes > mostWaitingBytes);
    if (isFull) return "all_queues_full";
    this.waiting++;
    this.waitingBytes += sizeBytes;
    // The library keeps what it is given, to send it again to who asks for it.
    this.router.publish(stressTestTopic, message.slice(), {
      // One encoding for all peers. Where it is done, the library stops at 4 MiB.
      batchPublish: sizeBytes < longestInBatch,
    }).then(
      ({ recipients }) => {
        // The own one here stands for the loop below.
        const outgoing: Outgoing = { token, sizeBytes, open: 1, handedOn: 0 };
        for (const peer of recipients) {
          const meter = this.meters.get(peer.toString());
          if (meter?.afterAll(outgoing) === true) outgoing.open++;
          else if (meter?.isOpen === true) outgoing.handedOn++;
        }
        this.done(outgoing);
      },
      (error) => this.drop(token, sizeBytes, dropReasonOf(error)),
    );
    return undefined;
  }

  private readonly passedOn = (outgoing: Outgoing, wasHandedOn: boolean): void => {
    if (wasHandedOn) outgoing.handedOn++;
    this.done(outgoing);
  };

  /** A peer's part is over. */
  private done(outgoing: Outgoing): void {
    if (--outgoing.open > 0 || this.stopped) return;
    const { token, sizeBytes, handedOn } = outgoing;
    if (handedOn === 0) return this.drop(token, sizeBytes, "no_peers_subscribed_to_topic");
    this.waiting--;
    this.waitingBytes -= sizeBytes;
    this.handlers.sent(token);
  }

  private drop(token: number, sizeBytes: number, reason: DropReason): void {
    if (this.stopped) return;
    this.waiting--;
    this.waitingBytes -= sizeBytes;
    this.handlers.dropped(reason, token);
  }
}

/** What is used of the library's router, and its types leave out. */
interface Router
  extends
    Omit<GossipSub, "score">,
    Refuser,
    CopyRemover,
    StreamRouter,
    Omit<Forwards, "streamsOutbound"> {
  readonly score: Refuser["score"] & CopyRemover["score"];
  readonly streamsOutbound: Map<string, LongStream>;
  publish(
    topic: string,
    data?: Uint8Array,
    options?: { readonly batchPublish: boolean },
  ): ReturnType<GossipSub["publish"]>;
}

/** What the library says by a message alone. */
function dropReasonOf(error: unknown): DropReason {
  const text = error instanceof Error ? error.message : String(error);
  if (text === "PublishError.NoPeersSubscribedToTopic") return "no_peers_subscribed_to_topic";
  if (text === "PublishError.Duplicate") return "duplicate";
  // All else that can fail there is the signature.
  return "signing_error";
}

/**
 * Starts a node that broadcasts over gossipsub.
 *
 * @throws {HostLimitError} the port cannot be bound.
 * @throws {UsageError} an address is malformed.
 */
export const startGossipsub = (
  settings: NetworkSettings,
  handlers: NetworkHandlers,
): Promise<BroadcastNetwork> => Gossipsub.start(settings, handlers);
