import type { WallClock } from "../wall_clock.ts";

/**
 * What a node asks of its network, and what a network tells its node. Gossipsub, SQMR and reversed
 * SQMR each give one; they share the libp2p host of `host.ts`.
 */

/** How messages travel. */
export const networkProtocols = ["gossipsub", "sqmr", "reversed-sqmr"] as const;

export type NetworkProtocol = (typeof networkProtocols)[number];

/** Why a message was not broadcast: the values of the label `drop_reason`. */
export const dropReasons = [
  "duplicate",
  "signing_error",
  "no_peers_subscribed_to_topic",
  "message_too_large",
  "transform_failed",
  "all_queues_full",
] as const;

export type DropReason = (typeof dropReasons)[number];

/** What happens in a network: the values of the label `event_type`. */
export const networkEventTypes = [
  "connections_established",
  "connections_closed",
  "dial_failure",
  "listen_failure",
  "listen_error",
  "address_change",
  "new_listeners",
  "new_listen_addrs",
  "expired_listen_addrs",
  "listener_closed",
  "new_external_addr_candidate",
  "external_addr_confirmed",
  "external_addr_expired",
  "new_external_addr_of_peer",
  "inbound_connections_handled",
  "outbound_connections_handled",
  "connection_handler_events",
] as const;

export type NetworkEventType = (typeof networkEventTypes)[number];

/** The node id of a peer that is none of the `numNodes` of the benchmark. */
export const foreignPeer = -1;

/**
 * When gossipsub forwards what it gets: `at-once`, as the library does by itself, or `sparing`, which
 * in a full mesh waits for who has it already.
 */
export const forwardings = ["sparing", "at-once"] as const;

export type Forwarding = (typeof forwardings)[number];

export interface NetworkSettings {
  readonly protocol: NetworkProtocol;
  /** This node's id, from which its secret follows. */
  readonly nodeId: number;
  /** Nodes in the network: the ids 0 to `numNodes` − 1 are known as peers by their peer id. */
  readonly numNodes: number;
  /** Address to listen on: `0.0.0.0` unless a test says otherwise. */
  readonly listenHost: string;
  /** 0: any free port. */
  readonly listenPort: number;
  /** Multiaddresses of the other peers, with or without `/p2p/…`; the own one is skipped. */
  readonly bootstrap: readonly string[];
  /** Of gossipsub; `sparing` when left out. */
  readonly forwarding?: Forwarding;
  /** Messages that may wait to be sent; in sqmr also those of which a part has come. */
  readonly bufferSize: number;
  /** Whole message, header included, in bytes. */
  readonly messageBytes: number;
  /** Listen and dial over QUIC instead of TCP. */
  readonly quic: boolean;
  /**
   * Whether this node may broadcast at all, which decides in reversed SQMR who keeps a query open
   * to whom. `undefined`: anyone may.
   */
  readonly broadcaster: number | undefined;
  /**
   * The clock that the node stamps its messages with: what the peers' clocks are compared to. The
   * system's where it is left out.
   */
  readonly wallClock?: WallClock;
}

/** What a network tells its node; one object for all of it. */
export interface NetworkHandlers {
  /** A whole message, header included. The bytes are valid during the call only. */
  received(message: Uint8Array): void;
  /** A message that {@linkcode BroadcastNetwork.publish} had taken was dropped after all. */
  dropped(reason: DropReason, token: number): void;
  /** The message of this token has been handed to the sockets of its peers. */
  sent(token: number): void;
  event(type: NetworkEventType): void;
  /** A ping came back after `rttNs` nanoseconds; `peer` is a node id or {@linkcode foreignPeer}. */
  roundTrip(peer: number, rttNs: number): void;
}

/** How far the clock of a peer is ahead of this one's. */
export interface ClockOffset {
  /** Node id. */
  readonly peer: number;
  /** Peer's clock minus ours, in nanoseconds. */
  readonly offsetNs: number;
  /** The true offset is within `offsetNs` ± this. */
  readonly boundNs: number;
}

/** A running network: connections, mesh and queues. */
export interface BroadcastNetwork {
  readonly peerId: string;
  /** Bound multiaddresses, with `/p2p/…`. */
  readonly addresses: readonly string[];
  connectedPeers(): number;
  /**
   * Peers that a message published now would go to: with gossipsub those that have subscribed, with
   * reversed SQMR those that keep a query open.
   */
  reachablePeers(): number;
  /** Streams of the benchmark's protocols that a peer opened. */
  activeInbound(): number;
  /** Streams of the benchmark's protocols that this node opened. */
  activeOutbound(): number;
  blacklisted(): number;
  /**
   * Broadcasts a message, without waiting. The bytes are copied or used up before it returns.
   * Every token that was taken ends in exactly one `sent` or `dropped`, or is dropped by `stop`.
   *
   * @param token chosen by the caller, an integer from 0 on.
   * @returns why it was not taken; nothing when it was.
   */
  publish(message: Uint8Array, token: number): DropReason | undefined;
  /** Messages that were taken, and neither sent nor dropped. */
  queued(): number;
  /** What came and was refused: malformed, or not signed by its author. */
  invalidMessages(): number;
  /**
   * Further copies of messages that the network itself removed, so that `received` was not told of
   * them: gossipsub has a message sent by several peers, so that it arrives whatever becomes of one.
   */
  removedCopies(): number;
  /**
   * Messages of peers that were dropped as more than `bufferSize` of them were coming in at the same
   * time. Only sqmr has those, a stream for each message. Else a message is handed to `received` in
   * the turn of the event loop in which its last byte was read, so that none waits.
   */
  overflowed(): number;
  clockOffsets(): readonly ClockOffset[];
  /** Ends everything at once, with no word to the handlers but events; the port is free afterwards. */
  stop(): Promise<void>;
}

/**
 * @throws {HostLimitError} the port cannot be bound.
 * @throws {UsageError} an address is malformed, or the settings contradict each other.
 */
export type StartNetwork = (
  settings: NetworkSettings,
  handlers: NetworkHandlers,
) => Promise<BroadcastNetwork>;
