import type { KeyObject, X509Certificate } from "node:crypto";
import type { SocketAddress } from "node:net";
import { HostLimitError } from "../errors.ts";

// What this transport uses of `node:quic` as Bun 1.4.5 has it (Node's experimental API on lsquic).
// Declared here because the module is unknown to Deno, and to @types/node in an older form.

/** How a CONNECTION_CLOSE is worded (RFC 9000, section 19.19). */
export interface NativeClose {
  readonly code: number;
  readonly type: "transport" | "application";
  readonly reason?: string;
}

/** The protocol by which writers say when they take bytes again. */
export const drainable: unique symbol = Symbol.for("Stream.drainableProtocol") as never;

export interface NativeWriter {
  /** Bytes of room; 0 when full, null once nothing can be written any more. */
  readonly desiredSize: number | null;
  /** Copies all of `chunk`, whatever the room; false when full, waiting for a drain, or closed. */
  writeSync(chunk: Uint8Array): boolean;
  /** Sends FIN after what was written; -1 while a drain is awaited. */
  endSync(): number;
  /** Settles when there is room again; null when there is room now, or never will be. */
  [drainable](): Promise<unknown> | null;
}

export interface NativeStream {
  readonly direction: "bidi" | "uni";
  readonly closed: Promise<void>;
  readonly writer: NativeWriter;
  readonly stats: {
    /** Bytes that came in and were not iterated over yet. */
    readonly bytesAccumulated: bigint;
  };
  highWaterMark: number;
  destroy(error?: unknown): void;
  /** Batches of chunks; ends with FIN, and also when the session ends. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array[]>;
}

export interface NativeHandshake {
  /** Why the peer's certificate is not trusted; undefined where it is. */
  readonly validationErrorReason: string | undefined;
}

export interface NativeSession {
  /** Resolves too when the peer closed without an error, or the idle timeout passed. */
  readonly closed: Promise<void>;
  readonly destroyed: boolean;
  /** Largest datagram that the peer takes; 0: none at all. */
  readonly maxDatagramSize: number;
  /** Above this many unsent datagrams the oldest is dropped without a word. */
  maxPendingDatagrams: number;
  readonly peerCertificate: X509Certificate | undefined;
  readonly stats: {
    readonly pktRecv: bigint;
    readonly pktLost: bigint;
    readonly datagramsSent: bigint;
  };
  createBidirectionalStream(options: { highWaterMark: number }): Promise<NativeStream>;
  /** Sends `body` and FIN. */
  createUnidirectionalStream(options: { body: Uint8Array }): Promise<NativeStream>;
  /** Copies. Resolves to 0n when the datagram was not taken. */
  sendDatagram(bytes: Uint8Array): Promise<bigint>;
  /** Closes once the peer has acknowledged what was written. */
  close(): Promise<void>;
  /** Ends at once; with options, a CONNECTION_CLOSE leaves before this returns. */
  destroy(error?: unknown, options?: NativeClose): void;
}

export interface NativeEndpoint {
  readonly address: SocketAddress | undefined;
  readonly destroyed: boolean;
  readonly closed: Promise<void>;
  /** Refuses new sessions with CONNECTION_REFUSED. */
  busy: boolean;
  destroy(): Promise<void>;
}

export interface NativeEndpointOptions {
  /** Where to bind; IPv6 in brackets. */
  readonly address: string;
  readonly maxConnectionsPerHost: number;
  readonly maxConnectionsTotal: number;
  readonly sessionCreationRate: number;
  readonly sessionCreationBurst: number;
  readonly disableStatelessReset: boolean;
}

export interface NativeSessionOptions {
  readonly endpoint: NativeEndpoint;
  readonly alpn: string | readonly string[];
  readonly ca?: readonly Uint8Array[];
  readonly keys?: readonly KeyObject[];
  readonly certs?: readonly Uint8Array[];
  readonly sni?: {
    readonly "*": { readonly keys: readonly KeyObject[]; readonly certs: readonly Uint8Array[] };
  };
  readonly servername?: string;
  /** `auto` checks the chain and the name, `manual` the chain only, which it merely reports. */
  readonly verifyPeer?: "auto" | "manual";
  readonly enableEarlyData?: boolean;
  /** Milliseconds. */
  readonly handshakeTimeout?: number;
  /** Milliseconds between PINGs on an idle connection. */
  readonly keepAlive?: number;
  readonly transportParams: {
    /** Seconds; 0: none. */
    readonly maxIdleTimeout: number;
    readonly initialMaxStreamsBidi: number;
    readonly initialMaxStreamsUni: number;
  };
  /** Its presence marks every promise of the session and its streams as handled. */
  onerror(error: unknown): void;
  onhandshake?(this: NativeSession, handshake: NativeHandshake): void;
  onstream?(this: NativeSession, stream: NativeStream): void;
  ondatagram?(this: NativeSession, bytes: Uint8Array): void;
}

export interface NativeQuic {
  connect(address: SocketAddress, options: NativeSessionOptions): Promise<NativeSession>;
  listen(
    onsession: (session: NativeSession) => void,
    options: NativeSessionOptions,
  ): Promise<NativeEndpoint>;
  readonly QuicEndpoint: new (options: NativeEndpointOptions) => NativeEndpoint;
}

/**
 * The runtime's QUIC, without the ExperimentalWarning of its first use: whoever runs this program
 * can do nothing about it.
 *
 * @throws {HostLimitError} this runtime has none.
 */
export function nativeQuic(): NativeQuic {
  const { emitWarning } = process;
  let module: unknown;
  process.emitWarning = (...args: unknown[]) => {
    if (args[1] !== "ExperimentalWarning") Reflect.apply(emitWarning, process, args);
  };
  try {
    module = (process.getBuiltinModule as (name: string) => unknown)("node:quic");
  } finally {
    process.emitWarning = emitWarning;
  }
  if (module === undefined || module === null) {
    throw new HostLimitError(
      `this runtime (${process.version}) has no node:quic; use the compiled holdfast or Bun 1.4.5`,
    );
  }
  return module as NativeQuic;
}

/**
 * A UDP socket for QUIC, not bound yet: `connect` and `listen` do that.
 *
 * The limits of the runtime (100 sessions from one host, 10,000 in all, a token bucket) are lifted.
 * Stateless resets are not sent: an endpoint hands every packet that it cannot place to all other
 * endpoints of the process, and resets of two such endpoints answer each other some 16 times, so
 * that a thousand sessions that end at once cost seconds. Resets of others are still obeyed.
 *
 * @param address IPv6 in brackets, port 0 for any: `127.0.0.1:0`.
 */
export function newEndpoint(quic: NativeQuic, address: string): NativeEndpoint {
  const endpoint = new quic.QuicEndpoint({
    address,
    maxConnectionsPerHost: 0,
    maxConnectionsTotal: 0,
    sessionCreationRate: 1e6,
    sessionCreationBurst: 1e6,
    disableStatelessReset: true,
  });
  endpoint.closed.catch(() => {}); // told by `endpointError` to who asks
  return endpoint;
}

/** errno of a bind that failed, as in `QUIC endpoint closed: Bind failure (98)`. */
const bindFailure = /Bind failure \((\d+)\)/;

const codeOfErrno: Readonly<Record<string, string>> = {
  1: "EPERM",
  12: "ENOMEM",
  13: "EACCES",
  23: "ENFILE",
  24: "EMFILE",
  97: "EAFNOSUPPORT",
  98: "EADDRINUSE",
  99: "EADDRNOTAVAIL",
  105: "ENOBUFS",
};

/**
 * Why an endpoint is gone: with the system's `code` where a bind failed (Linux errno), else as it
 * is. Settles at once for an endpoint that is destroyed.
 */
export async function endpointError(endpoint: NativeEndpoint): Promise<Error> {
  try {
    await endpoint.closed;
    return new Error("the endpoint was closed");
  } catch (thrown) {
    const error = thrown as Error;
    const errno = bindFailure.exec(error.message)?.[1];
    const code = errno === undefined ? undefined : codeOfErrno[errno];
    if (code === undefined) return error;
    return Object.assign(new Error(`${code}: bind`, { cause: error }), { code });
  }
}

/** Waits until an endpoint has let go of its UDP socket, for at most `withinMs`. */
export async function destroyEndpoint(endpoint: NativeEndpoint, withinMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const isLate = new Promise<void>((resolve) => timer = setTimeout(resolve, withinMs));
  try {
    await Promise.race([endpoint.destroy(), isLate]);
  } catch {
    // It is gone, whatever it died of.
  } finally {
    clearTimeout(timer);
  }
}
