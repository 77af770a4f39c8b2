import type { CertificatePair } from "../../transport/transport.ts";
import type { Encoded, Serializer } from "../serialization/serializer.ts";
import type { StandstillWatch } from "./standstill.ts";

/** A connection of a client, as a listener gives it to the router. */
export interface Connection {
  readonly lane: Lane;
  /** Where the client is: `tcp4:127.0.0.1:40514`. */
  readonly peer: string;
  /** `websocket` or `rawsocket`. */
  readonly kind: "websocket" | "rawsocket";
  /** Grows with whatever comes, pings too. */
  readonly activity: number;
  /**
   * Sends one message in the lane's serialization. A client that does not read what it is sent is
   * disconnected at the listener's bound.
   *
   * @returns false: the message is longer than what the client takes; it is not sent.
   */
  send(message: Encoded): boolean;
  /** Hands what has been sent to the kernel now, as far as it takes it. */
  flush(): void;
  /**
   * This process has stood still: what has come from the client and what comes waits until it answers a
   * ping, and is forgotten if it has gone. Without pings (`pingIntervalMs` 0) nothing happens.
   */
  doubt(): void;
  readonly isInDoubt: boolean;
  /** Ends the connection behind what has been sent. */
  close(): void;
  /** Ends it at once. */
  terminate(): void;
}

/** What the router does with a connection. Nothing is called after `closed`. */
export interface Receiver {
  message(message: Encoded): void;
  closed(): void;
}

/** Takes a connection that a listener has accepted. */
export type Accept = (connection: Connection) => Receiver;

/**
 * Connections that one encoding serves: of one listener, serializer and framing. So a publication is
 * encoded once a serializer, framed once a lane, and written by the engine.
 */
export interface Lane {
  readonly serializer: Serializer;
  createGroup(): Group;
}

/** Connections of a lane that get the same messages. */
export interface Group {
  readonly size: number;
  has(connection: Connection): boolean;
  add(connection: Connection): void;
  remove(connection: Connection): void;
  /**
   * Sends one message to all of them, but not to `except`.
   *
   * @returns to how many.
   */
  publish(message: Encoded, except?: Connection): number;
}

export interface ListenerSettings {
  /** Of addresses with TLS. */
  readonly certificate?: CertificatePair | undefined;
  /** A client sends pings this often, and ends with the second that stays unanswered; 0: never. */
  readonly pingIntervalMs: number;
  /** Longest message that is taken. */
  readonly maxMessageBytes: number;
  /** What may wait for a client that does not read, before it is disconnected. */
  readonly maxPendingBytes: number;
  readonly standstill: StandstillWatch;
  readonly accept: Accept;
  /** An exception that no session should cause: it is told, and ends one connection. */
  failed(error: unknown): void;
}

/** A bound address. */
export interface WampListener {
  /** With the port that the kernel chose: `ws://127.0.0.1:8081/ws`. */
  readonly url: string;
  readonly port: number;
  /** Connections that were ended because they did not read. */
  readonly slowClosed: number;
  /** New connections are refused from now on; those that are open go on. */
  stopAccepting(): void;
  /** Stops listening and ends all connections. */
  stop(): Promise<void>;
}

/** An address in the form that Crossbar gives it: `tcp4:127.0.0.1:8081`. */
export function peerName(address: string, port: number): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return `tcp4:${mapped[1]}:${port}`;
  return `${address.includes(":") ? "tcp6" : "tcp4"}:${address}:${port}`;
}
