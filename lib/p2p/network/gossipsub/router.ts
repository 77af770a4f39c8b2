import { gossipsub, type GossipSubComponents, type GossipsubOpts } from "@libp2p/gossipsub";
import type { RPC } from "@libp2p/gossipsub/message";
import type { Connection, PeerId, Stream } from "../libp2p_types.ts";
import type { Outbox } from "./outbox.ts";
import { varintBytes, writeVarint } from "./wire.ts";

/**
 * The router of `@libp2p/gossipsub`: subscriptions, the mesh and its upkeep, IHAVE and IWANT,
 * IDONTWANT, the caches. Streams and the messages themselves are handled outside (`gossipsub.ts`),
 * where they cost a fraction: so it is given a registrar that gives it no streams, and some members
 * are used that its interface leaves out.
 */

/** A message as the router keeps it, to answer an IWANT. */
export interface RawMessage {
  readonly from: Uint8Array;
  readonly data: Uint8Array;
  readonly seqno: Uint8Array;
  readonly topic: string;
  readonly signature: Uint8Array;
  readonly key?: Uint8Array;
}

interface MessageId {
  readonly msgId: Uint8Array;
  readonly msgIdStr: string;
}

/** What is used of the router of 17.1, its interface and more. */
export interface Router {
  /** Which peers have subscribed to a topic. */
  readonly topics: ReadonlyMap<string, ReadonlySet<string>>;
  /** The mesh of a topic. */
  readonly mesh: ReadonlyMap<string, ReadonlySet<string>>;
  readonly peers: ReadonlyMap<string, PeerId>;
  readonly streamsOutbound: Map<string, unknown>;
  readonly subscriptions: ReadonlySet<string>;
  /** Messages that a peer has said it does not want. */
  readonly idontwants: ReadonlyMap<string, ReadonlyMap<string, unknown>>;
  readonly seenCache: { has(id: string): boolean; put(id: string): boolean };
  readonly mcache: { put(id: MessageId, message: RawMessage, validated: boolean): boolean };
  readonly gossipTracer: { deliverMessage(id: string): void };
  subscribe(topic: string): void;
  start(): Promise<void>;
  addPeer(peer: PeerId, direction: string, address: unknown): void;
  removePeer(peer: PeerId): void;
  sendSubscriptions(peer: string, topics: readonly string[], subscribe: boolean): void;
  sendRpc(peer: string, rpc: RPC): boolean;
  sendIDontWants(id: Uint8Array, topic: string, source: string): void;
  handleReceivedRpc(from: PeerId, rpc: RPC): Promise<void>;
  decodeRpc(bytes: Uint8Array): RPC;
}

/** The versions of the protocol, newest first. */
export const gossipsubProtocols: readonly string[] = [
  "/meshsub/1.2.0",
  "/meshsub/1.1.0",
  "/meshsub/1.0.0",
];

/** Below this many bytes a duplicate costs less than a word that it is not wanted. */
export const idontwantBytes = 1024 * 1024;

/** As rust-libp2p forgets them. */
const duplicatesForgottenMs = 60_000;

const latin1 = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");

const options: Partial<GossipsubOpts> = {
  allowPublishToZeroTopicPeers: false,
  fallbackToFloodsub: false,
  floodPublish: true,
  globalSignaturePolicy: "StrictSign",
  emitSelf: false,
  doPX: false,
  tagMeshPeers: false,
  D: 6,
  Dlo: 5,
  Dhi: 12,
  heartbeatInterval: 1_000,
  seenTTL: duplicatesForgottenMs,
  idontwantMinDataSize: idontwantBytes,
  // The id of a message is text; its bytes are that text.
  msgIdToStrFn: latin1,
  // Nobody is judged, as rust-libp2p has it unless told otherwise: the nodes of a benchmark often
  // share an address, which alone would bar them.
  scoreParams: {
    topics: {},
    appSpecificWeight: 0,
    IPColocationFactorWeight: 0,
    behaviourPenaltyWeight: 0,
  },
} as Partial<GossipsubOpts>;

/** What the router asks of libp2p's registrar, and gets nothing from. */
const noStreams = {
  handle: () => Promise.resolve(),
  unhandle: () => Promise.resolve(),
  register: () => Promise.resolve("gossipsub"),
  unregister: () => {},
};

/**
 * A service of libp2p that is the router.
 *
 * @param topic the only one of which subscriptions are heeded.
 * @param created is called with the router before libp2p starts.
 */
export function routerService(
  topic: string,
  created: (router: Router) => void,
): (components: GossipSubComponents) => unknown {
  return (components) => {
    const { privateKey, peerId, peerStore, connectionManager, logger } = components;
    const create = gossipsub({ ...options, allowedTopics: [topic] });
    const router = create({
      ...{ privateKey, peerId, peerStore, connectionManager, logger },
      registrar: noStreams as unknown as GossipSubComponents["registrar"],
    }) as unknown as Router;
    sendInSeparateRpcs(router);
    created(router);
    return router;
  };
}

/**
 * Makes the router answer an IWANT with an RPC for each message: all in one would be larger than its
 * receiver accepts.
 */
function sendInSeparateRpcs(router: Router): void {
  const sendRpc = router.sendRpc.bind(router);
  router.sendRpc = (peer, rpc) => {
    if (rpc.messages.length < 2) return sendRpc(peer, rpc);
    const [first, ...others] = rpc.messages;
    let sent = sendRpc(peer, { ...rpc, messages: first === undefined ? [] : [first] });
    for (const message of others) {
      sent = sendRpc(peer, { subscriptions: [], messages: [message] }) && sent;
    }
    return sent;
  };
}

/** The outgoing stream of a peer as the router has it. */
export interface RouterStream {
  readonly protocol: string;
  readonly rawStream: Stream;
  push(rpc: Uint8Array): void;
  pushPrefixed(frame: Uint8Array): void;
  close(): Promise<void>;
}

/** An outbox as the router's stream. */
export function routerStream(outbox: Outbox, rawStream: Stream): RouterStream {
  return {
    protocol: rawStream.protocol,
    rawStream,
    push: (rpc) => {
      const lengthBytes = varintBytes(rpc.byteLength);
      const frame = new Uint8Array(lengthBytes + rpc.byteLength);
      writeVarint(frame, 0, rpc.byteLength);
      frame.set(rpc, lengthBytes);
      outbox.add(frame);
    },
    pushPrefixed: (frame) => outbox.add(frame),
    close: () => outbox.close(),
  };
}

/** Hands what is no message in an RPC to the router. */
export async function handleControl(router: Router, from: PeerId, rpc: Uint8Array): Promise<void> {
  const decoded = router.decodeRpc(rpc);
  decoded.messages = [];
  await router.handleReceivedRpc(from, decoded);
}

/** A peer of the router, from its connection. */
export function addPeer(router: Router, connection: Connection): void {
  router.addPeer(connection.remotePeer, connection.direction, connection.remoteAddr);
}
