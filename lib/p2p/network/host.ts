import { identify } from "@libp2p/identify";
import { ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { createLibp2p } from "libp2p";
import { HostLimitError, messageOf, UsageError } from "../../errors.ts";
import { peerIdOf, privateKeyOf } from "../identity.ts";
import { ClockExchanges } from "../clock/clock_exchanges.ts";
import { clockProtocol } from "../clock/clock_frames.ts";
import { WallClock } from "../wall_clock.ts";
import { exampleAddress, listenAddress, parsePeerAddress } from "./addresses.ts";
import { keepKeys } from "./kept_keys.ts";
import { rememberProtocols } from "./known_protocols.ts";
import type { Connection, Libp2p, PeerId, Stream } from "./libp2p_types.ts";
import { Mesh } from "./mesh.ts";
import { multiplexer } from "./multiplexer.ts";
import {
  type ClockOffset,
  foreignPeer,
  type NetworkHandlers,
  type NetworkSettings,
} from "./network.ts";
import { sodiumNoise } from "./noise_crypto.ts";
import { Pinger } from "./ping.ts";
import { withQuietAborts } from "./quiet_aborts.ts";
import { silentLogger } from "./silent_logger.ts";

/** Stream protocols that are served; what the handler throws ends its stream alone. */
export interface ServedProtocols {
  readonly protocols: readonly string[];
  readonly handler: (stream: Stream, connection: Connection) => void | Promise<void>;
}

/** What a protocol on top of a host is told of the mesh. */
export interface HostListener {
  /** Served from before the first connection. */
  readonly serves?: ServedProtocols;
  /**
   * The one connection of a peer, when there is one, and when another takes its place; `nodeId` may
   * be {@linkcode foreignPeer}.
   */
  settled?(connection: Connection, nodeId: number): void;
  /** No connection to the peer is left. */
  gone?(peer: PeerId): void;
  /** Once a second, for each settled connection: to mend what is missing. */
  inspected?(connection: Connection): void;
}

/** A libp2p node that keeps itself connected to its peers. */
export interface Host {
  readonly libp2p: Libp2p;
  /** In base58. */
  readonly peerId: string;
  /** Bound multiaddresses, with `/p2p/…`. */
  readonly addresses: readonly string[];
  /** The settled connections, one for each peer. */
  connections(): Iterable<Connection>;
  /** The settled connection of a peer. */
  connectionOf(peer: PeerId): Connection | undefined;
  connectedPeers(): number;
  blacklisted(): number;
  /** The node id of a peer, or {@linkcode foreignPeer}. */
  nodeIdOf(peer: PeerId): number;
  /** Serves further stream protocols; what the handler throws ends its stream alone. */
  handle(
    protocols: ServedProtocols["protocols"],
    handler: ServedProtocols["handler"],
  ): Promise<void>;
  /** How far the clocks of the peers that tell theirs are ahead of ours. */
  clockOffsets(): readonly ClockOffset[];
  /** Starts to dial. */
  dial(): void;
  /** Ends every connection and frees the port. */
  stop(): Promise<void>;
}

/** A service of libp2p, made from libp2p's components. */
// deno-lint-ignore no-explicit-any
export type Services = Record<string, (components: any) => unknown>;

/**
 * Apollo's, spelt so: what a node says of itself in identify, which itself is `/ipfs/id/1.0.0` as
 * everywhere.
 */
const identifyVersion = "/staknet/identify/0.1.0-rc.0";

/** A connection that has carried nothing for this long is closed. */
const idleMs = 120_000;

/** A stream whose protocol has not been agreed on after this long is given up, as with Apollo. */
const negotiationTimeoutMs = 120_000;

/** `AbortSignal.timeout` takes no more. */
const foreverMs = 2 ** 31 - 1;

/** Streams of one protocol on one connection, at most: enough for a benchmark of them. */
const mostStreams = 100_000;

/**
 * Starts a libp2p node: TCP, noise XX, yamux, identify, ping every 15 s, and connections to all of
 * `settings.bootstrap` as {@linkcode Mesh} keeps them.
 *
 * @param services further services of libp2p.
 * @throws {HostLimitError} the port cannot be bound.
 * @throws {UsageError} an address is malformed.
 */
export async function createHost(
  settings: NetworkSettings,
  handlers: NetworkHandlers,
  listener: HostListener = {},
  services: Services = {},
): Promise<Host> {
  const addresses = settings.bootstrap.map((text) => parsePeerAddress(text, settings.quic));
  // @chainsafe/libp2p-quic 2.1.1 runs on Bun with libp2p 3.3, but its loader finds its native part
  // in no executable, and `deno install` refuses it where one of its packages for other systems is
  // missing from a registry.
  if (settings.quic) {
    throw new UsageError(
      "--quic: this build contains no QUIC transport of libp2p; leave it out, and give addresses " +
        `such as ${exampleAddress(false)}`,
    );
  }
  const nodeIds = new Map<string, number>();
  for (let id = 0; id < settings.numNodes; id++) nodeIds.set(await peerIdOf(id), id);
  const privateKey = await privateKeyOf(settings.nodeId);
  keepKeys(privateKey);
  const listen = listenAddress(settings.listenHost, settings.listenPort, settings.quic);

  const libp2p: Libp2p = await createLibp2p({
    privateKey,
    addresses: { listen: [listen] },
    start: false,
    logger: silentLogger,
    transports: [withQuietAborts(tcp({
      inboundSocketInactivityTimeout: idleMs,
      outboundSocketInactivityTimeout: idleMs,
      backlog: 4096,
    }))],
    connectionEncrypters: [await sodiumNoise()],
    streamMuxers: [multiplexer({
      maxInboundStreams: mostStreams,
      maxOutboundStreams: mostStreams,
      maxEarlyStreams: 1_000,
      streamOptions: { inactivityTimeout: foreverMs },
    })],
    connectionManager: {
      maxConnections: 100_000,
      maxIncomingPendingConnections: 100_000,
      inboundConnectionThreshold: 1e9,
      maxParallelDials: 1_000,
      maxDialQueueLength: 100_000,
      reconnectRetries: 0,
      inboundStreamProtocolNegotiationTimeout: negotiationTimeoutMs,
      outboundStreamProtocolNegotiationTimeout: negotiationTimeoutMs,
    },
    // Its pings abort connections that are merely busy.
    connectionMonitor: { enabled: false },
    services: {
      identify: withVersion(identify(), identifyVersion),
      // Its answering side: it answers on one stream for as long as the peer likes.
      ping: ping({ timeout: foreverMs, maxInboundStreams: 16, maxOutboundStreams: 16 }),
      // deno-lint-ignore no-explicit-any
      ...services as any,
    },
  });

  rememberProtocols(libp2p);

  const pingers = new Map<Connection, Pinger>();
  const endPing = (connection: Connection) => {
    pingers.get(connection)?.stop();
    pingers.delete(connection);
  };
  const nodeIdOf = (peer: PeerId) => nodeIds.get(peer.toString()) ?? foreignPeer;
  const wallClock = settings.wallClock ?? new WallClock(Math.floor(Date.now() / 1_000));
  const clocks = new ClockExchanges(wallClock);
  const mesh = new Mesh(
    libp2p,
    {
      settled: (connection) => {
        const peer = nodeIdOf(connection.remotePeer);
        pingers.set(
          connection,
          new Pinger(connection, (rttNs) => handlers.roundTrip(peer, rttNs)),
        );
        listener.settled?.(connection, peer);
        clocks.settled(connection, peer);
      },
      gaveWay: endPing,
      gone: (peer) => {
        listener.gone?.(peer);
        clocks.gone(peer);
      },
      dialFailed: () => handlers.event("dial_failure"),
      inspected: (connection) => {
        listener.inspected?.(connection);
        if (settings.wallClock === undefined) wallClock.anchor();
        clocks.inspected(connection);
      },
    },
    addresses,
    settings.nodeId,
  );

  const onOpen = ({ detail }: CustomEvent<Connection>) => {
    handlers.event("connections_established");
    handlers.event(
      detail.direction === "inbound"
        ? "inbound_connections_handled"
        : "outbound_connections_handled",
    );
  };
  const onClose = ({ detail }: CustomEvent<Connection>) => {
    handlers.event("connections_closed");
    endPing(detail);
  };
  libp2p.addEventListener("connection:open", onOpen);
  libp2p.addEventListener("connection:close", onClose);

  const handle: Host["handle"] = async (protocols, handler) => {
    await libp2p.handle([...protocols], handler, {
      maxInboundStreams: mostStreams,
      maxOutboundStreams: mostStreams,
    });
  };
  await handle([clockProtocol], (stream) => clocks.serve(stream));
  if (listener.serves !== undefined) {
    await handle(listener.serves.protocols, listener.serves.handler);
  }

  try {
    await libp2p.start();
  } catch (cause) {
    mesh.stop();
    clocks.stop();
    handlers.event("listen_failure");
    throw listenFailure(listen, cause);
  }
  handlers.event("new_listeners");
  const peerId = libp2p.peerId.toString();
  const bound = libp2p.getMultiaddrs().map(String);
  for (const _ of bound) handlers.event("new_listen_addrs");

  let stopping: Promise<void> | undefined;
  const stop = async () => {
    mesh.stop();
    libp2p.removeEventListener("connection:open", onOpen);
    for (const pinger of pingers.values()) pinger.stop();
    clocks.stop();
    // Aborted rather than closed: a polite end would wait for every queue to empty.
    for (const connection of libp2p.getConnections()) {
      connection.abort(new Error("the network has ended"));
    }
    await libp2p.stop();
    libp2p.removeEventListener("connection:close", onClose);
    handlers.event("listener_closed");
    for (const _ of bound) handlers.event("expired_listen_addrs");
  };
  return {
    libp2p,
    peerId,
    addresses: bound,
    connections: () => mesh.connections(),
    connectionOf: (peer) => mesh.connectionOf(peer.toString()),
    connectedPeers: () => mesh.size(),
    // Nothing here ever bars a peer for good.
    blacklisted: () => 0,
    nodeIdOf,
    handle,
    clockOffsets: () => clocks.offsets(),
    dial: () => mesh.start(),
    stop: () => stopping ??= stop(),
  };
}

/** The service of identify, with another version of the protocol in what it says of this node. */
function withVersion(create: ReturnType<typeof identify>, version: string): typeof create {
  return (components) => {
    const service = create(components);
    // No option sets it.
    (service as unknown as { readonly host: { protocolVersion: string } }).host.protocolVersion =
      version;
    return service;
  };
}

function listenFailure(address: string, cause: unknown): Error {
  const text = cause instanceof Error ? cause.message : String(cause);
  const port = /\/(?:tcp|udp)\/(\d+)/.exec(address)?.[1];
  const code = /\b(EADDRINUSE|EACCES|EADDRNOTAVAIL|EMFILE)\b/.exec(text)?.[1];
  const advice = code === "EADDRINUSE"
    ? `port ${port} is in use; stop what uses it or choose another port`
    : code === "EACCES"
    ? `this user may not bind port ${port}; choose a port above 1023`
    : code === "EADDRNOTAVAIL"
    ? "it is not an address of this host"
    : messageOf(cause);
  return new HostLimitError(`cannot listen on ${address}: ${advice}`, { cause });
}
