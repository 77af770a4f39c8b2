import type { Failure } from "../stats/failure.ts";
import type { Endpoint, Scheme } from "./endpoint.ts";

/**
 * What a transport promises.
 *
 * `framing` is `stream` where bytes arrive in pieces of any size, `message` where each `data` call
 * is one whole message as the peer sent it.
 */
export interface TransportTraits {
  readonly framing: "stream" | "message";
  readonly reliable: boolean;
  readonly ordered: boolean;
  readonly secure: boolean;
  /** Largest message that can be sent at all; Infinity where nothing bounds it. */
  readonly maxMessageBytes: number;
  /** Opening a connection sends nothing: it shows neither that anybody is there nor who. */
  readonly isConnectionless?: true;
  /** That the peer is gone shows only when nothing came for long. */
  readonly hasIdleTimeout?: true;
}

/**
 * One shared object receives the events of every connection. Connections are named by small
 * integers, so that the receiver keeps its state in typed arrays.
 *
 * - On a dialer the caller chose the id: `connect(id)` ends in either `open(id)` and later one
 *   `close(id, …)`, or in `close(id, failure)` alone. An id can be connected again after its close.
 * - On a listener ids are the lowest free ones, so they stay below the number of connections open.
 *   A UDP listener has no connections: everything happens under id 0, `send` answers the sender of
 *   the datagram being handled, and neither `open` nor `close` is called.
 */
export interface ConnectionHandlers {
  open(id: number): void;
  /**
   * @param bytes valid during the call only: the transport uses the memory again.
   * @param isText a WebSocket text message, as UTF-8.
   */
  data(id: number, bytes: Uint8Array, isText: boolean): void;
  /** The connection takes bytes again, after a `send` that accepted fewer than offered. */
  drain(id: number): void;
  /** The peer has finished sending (half-close); what it still awaits can be sent. */
  end(id: number): void;
  /**
   * The id is free again; nothing can be sent. Called exactly once for each connection, perhaps
   * before the method that caused it returns. `failure` is undefined only where this side asked
   * for the end (`close`, `finish`, `terminate`).
   */
  close(id: number, failure: Failure | undefined): void;
}

/** The operations on open connections that dialers and listeners share. */
export interface Connections {
  /**
   * Sends `bytes[offset, offset + length)`, which holds whole messages of `messageBytes` each.
   * Streams ignore `messageBytes`; message transports send one message per `messageBytes`.
   *
   * @returns how many of the bytes were accepted, from the front. Fewer than `length`: the rest was
   * not taken, and `drain(id)` tells when to offer it again. On message transports always a whole
   * number of messages. The memory can be used again when the call returns. Sending on a connection
   * that is not open accepts 0 and no `drain` follows.
   */
  send(
    id: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    messageBytes: number,
    isText?: boolean,
  ): number;
  /** Stops reading, so that the peer meets backpressure. Without effect where there is none. */
  pause(id: number): void;
  resume(id: number): void;
  /** Sends the end of the stream after what was accepted, and goes on receiving. */
  finish(id: number): void;
  /** An orderly close after what was accepted: FIN, close_notify, close frame, CONNECTION_CLOSE. */
  close(id: number): void;
  /** Ends at once (RST on TCP), so that no TIME_WAIT holds the port. */
  terminate(id: number): void;
}

/** Opens connections to one endpoint, which was resolved once when the dialer was made. */
export interface Dialer extends Connections {
  readonly traits: TransportTraits;
  /** `0 ≤ id < capacity`. The result comes through the handlers. */
  connect(id: number): void;
  /** The address of the server that an open connection goes to; without its port. */
  serverOf?(id: number): string | undefined;
  /** Ends every connection and frees what the dialer holds. */
  shutdown(): Promise<void>;
}

/** A bound endpoint that accepts connections. */
export interface Listener extends Connections {
  /** The endpoint as bound: port 0 replaced by the port that the kernel chose. */
  readonly endpoint: Endpoint;
  readonly traits: TransportTraits;
  /** Refuses new connections; open ones go on. */
  stopAccepting(): void;
  /** Ends every connection (orderly, then at once) and frees the port. */
  shutdown(): Promise<void>;
}

/** Source addresses and ports for outgoing connections, handed out one by one. */
export interface SourceAddresses {
  /** Whether there are addresses for targets of this family. */
  hasFamily(isIPv6: boolean): boolean;
  /**
   * Moves on to the next pair for a target of this family, which `address` and `port` then hold.
   *
   * @returns its number, by which it is released; -1 when none is left.
   */
  next(isIPv6: boolean): number;
  readonly address: string;
  readonly port: number;
  /** No socket has the pair any more; called once for each time that it was handed out. */
  release(pair: number): void;
}

/** PEM texts. */
export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

export interface TlsDialSettings {
  /** PEM of the authorities to trust instead of the system's. */
  readonly ca?: string;
  /** Accept any certificate. */
  readonly insecure: boolean;
  /** Name to send as SNI and to verify; the endpoint's host where it is left out. */
  readonly servername?: string;
  /** This side's certificate, where the server asks for one. */
  readonly certificate?: CertificatePair;
  /** Protocols to offer; empty: none on TLS, `echo` on QUIC. */
  readonly alpn: readonly string[];
}

export interface DialSettings {
  /** How many ids there are. */
  readonly capacity: number;
  readonly connectTimeoutMs: number;
  readonly tls: TlsDialSettings;
  /** QUIC: connections that share one UDP socket. */
  readonly connectionsPerSocket: number;
  /** QUIC: unreliable datagrams instead of a stream. */
  readonly datagrams: boolean;
  /** QUIC: a server of which nothing comes for this long is taken for dead; 30 s if left out. */
  readonly idleTimeoutMs?: number;
  /** Where it is left out, the kernel chooses addresses and ports. */
  readonly sources?: SourceAddresses;
  /** Larger incoming messages end the connection with a `protocol` failure. */
  readonly maxMessageBytes: number;
  /** WebSocket: the subprotocol to ask for, which the server has to agree to; none if left out. */
  readonly subprotocol?: string;
}

export interface ListenSettings {
  /** Length of the queue of connections not yet accepted. */
  readonly backlog: number;
  /** Required by tls, wss and quic. With the chain, leaf first. */
  readonly certificate?: CertificatePair;
  /** Larger incoming messages (WebSocket) are refused and end the connection. */
  readonly maxMessageBytes: number;
  /** Connections on which nothing moves for this long are closed as `idle`; 0: never. */
  readonly idleTimeoutMs: number;
  /** Above this many open connections new ones are refused; `refused` below counts them. */
  readonly maxConnections: number;
  /** Bytes that may wait for a peer that does not read (WebSocket); above it nothing is accepted. */
  readonly maxPendingBytes: number;
  /** Share the port with other processes. */
  readonly reusePort: boolean;
  /** Protocols to accept; empty: any on TLS, `echo` on QUIC. */
  readonly alpn: readonly string[];
  /** Called for each connection that is refused, and why. */
  refused(failure: Failure): void;
  /** Called for each datagram that is ignored because of where it came from (UDP). */
  dropped?(): void;
}

/** A transport is one file, one row in the registry, one line in the conformance test. */
export interface Transport {
  readonly scheme: Scheme;
  /**
   * @throws {HostLimitError} the port is in use or may not be bound.
   * @throws {UsageError} settings are missing or contradict each other.
   */
  listen(
    endpoint: Endpoint,
    handlers: ConnectionHandlers,
    settings: ListenSettings,
  ): Promise<Listener>;
  /**
   * Resolves the host and prepares everything that connections share; connects nothing yet.
   *
   * @throws {TargetUnreachableError} the host does not resolve.
   */
  dial(endpoint: Endpoint, handlers: ConnectionHandlers, settings: DialSettings): Promise<Dialer>;
}
