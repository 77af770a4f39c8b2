import { messageOf } from "../errors.ts";
import type { Failure } from "../stats/failure.ts";
import { codeOf, type NativeFailures } from "./native_failure.ts";
import { connectionOfSession, QuicConnection } from "./quic_connection.ts";
import { QuicConnections, surface } from "./quic_connections.ts";
import { maxDatagramBytes } from "./quic_datagrams.ts";
import { abortClose, badCertificateClose, orderlyClose } from "./quic_failure.ts";
import {
  endpointError,
  type NativeHandshake,
  type NativeQuic,
  type NativeSession,
  type NativeSessionOptions,
} from "./quic_native.ts";
import { RemotePort } from "./quic_remote_port.ts";
import { type SharedSocket, SharedSockets } from "./quic_shared_sockets.ts";
import { bindFailure, maxSourceTries } from "./source_failure.ts";
import type { ConnectionHandlers, Dialer, DialSettings, TransportTraits } from "./transport.ts";

const streamTraits: TransportTraits = {
  framing: "stream",
  reliable: true,
  ordered: true,
  secure: true,
  maxMessageBytes: Infinity,
  hasIdleTimeout: true,
};
const datagramTraits: TransportTraits = {
  framing: "message",
  reliable: false,
  ordered: false,
  secure: true,
  maxMessageBytes: maxDatagramBytes,
  hasIdleTimeout: true,
};

/** Bytes that may wait on a connection whose caller has paused it. */
const maxUnreadBytes = 64 * 1024 * 1024;

export interface QuicTarget {
  /** In order of preference, at least one. */
  readonly addresses: readonly string[];
  readonly port: number;
  readonly lastPort: number;
}

/** What every session is started with. */
export interface QuicClientOptions {
  readonly session: Omit<NativeSessionOptions, "endpoint" | "onerror">;
  /** Accept any certificate. */
  readonly insecure: boolean;
  /** The address that the certificate must be for, where a name is not what is verified. */
  readonly verifiedAddress: string | undefined;
  /** The idle timeout that the sessions have. */
  readonly quietMs: number;
}

/**
 * Dials QUIC. Connections `k * connectionsPerSocket` and following share the UDP socket k, and socket
 * k talks to port `first + k mod n` of the target's n: a packet costs both sides time in proportion
 * to the sessions of its endpoint.
 *
 * Until a connection has opened, one that its address refuses goes on to the target's next address;
 * from then on only the address that answered is used.
 *
 * A UDP socket with its lsquic engine takes about 100 KB, a connection what `QuicConnection` says.
 */
export class QuicDialer extends QuicConnections implements Dialer {
  readonly traits: TransportTraits;
  readonly #quic: NativeQuic;
  readonly #settings: DialSettings;
  readonly #options: QuicClientOptions;
  readonly #sessionOptions: Omit<NativeSessionOptions, "endpoint">;
  /** By address, then by port. */
  readonly #ports: readonly (readonly RemotePort[])[];
  readonly #socketCount: number;
  readonly #sockets: SharedSockets;
  /** By connection: what it uses. */
  readonly #socketOf: (SharedSocket | undefined)[] = [];
  readonly #portOf: (RemotePort | undefined)[] = [];
  /** Index of the address that an attempt is for. */
  readonly #attempts: Uint8Array;
  #preferred = 0;
  #hasOpened = false;
  #isShut = false;

  constructor(
    quic: NativeQuic,
    target: QuicTarget,
    handlers: ConnectionHandlers,
    settings: DialSettings,
    options: QuicClientOptions,
  ) {
    const { quietMs } = options;
    super(handlers, { quietMs, idleTimeoutMs: 0, maxUnreadBytes, stillMs: Infinity });
    this.traits = settings.datagrams ? datagramTraits : streamTraits;
    this.#quic = quic;
    this.#settings = settings;
    this.#options = options;
    this.#attempts = new Uint8Array(settings.capacity);
    this.#socketCount = Math.ceil(settings.capacity / settings.connectionsPerSocket);
    this.#ports = target.addresses.map((address) => this.#portsOf(address, target));
    for (let id = 0; id < settings.capacity; id++) this.connections.push(undefined);
    this.#sockets = new SharedSockets(
      quic,
      settings.sources,
      (socket) => this.#socketLost(socket),
    );
    this.#sessionOptions = { ...options.session, ...this.#callbacks() };
  }

  #portsOf(address: string, { port: first, lastPort: last }: QuicTarget): RemotePort[] {
    // No more ports than there are sockets to use them.
    const count = Math.min(last - first + 1, Math.max(1, this.#socketCount));
    return Array.from({ length: count }, (_, index) => new RemotePort(address, first + index));
  }

  /** One set for all sessions; `this` is the session. */
  #callbacks(): Partial<NativeSessionOptions> & Pick<NativeSessionOptions, "onerror"> {
    const handshaken = (session: NativeSession, handshake: NativeHandshake) => {
      const connection = connectionOfSession.get(session);
      if (connection === undefined || connection.isGone) return;
      try {
        this.#handshaken(connection, session, handshake);
      } catch (error) {
        surface(error);
      }
    };
    return {
      onerror() {},
      onhandshake(handshake) {
        handshaken(this, handshake);
      },
      // This side's stream is the only one that counts; see `moveStreams` for what others may be.
      onstream(stream) {
        stream.destroy();
      },
      ...(this.#settings.datagrams
        ? {
          ondatagram(bytes) {
            try {
              connectionOfSession.get(this)?.takeDatagram(bytes);
            } catch (error) {
              surface(error);
            }
          },
        }
        : {}),
    };
  }

  connect(id: number): void {
    const { capacity } = this.#settings;
    if (!(id >= 0 && id < capacity)) {
      throw new RangeError(`connection id ${id} is not below the capacity ${capacity}`);
    }
    if (this.#isShut) return this.handlers.close(id, undefined);
    if (this.connections[id] !== undefined) {
      throw new RangeError(`connection id ${id} is in use; wait for its close`);
    }
    this.#attempt(id, this.#preferred);
  }

  serverOf(id: number): string | undefined {
    return this.#portOf[id]?.address.address;
  }

  #attempt(id: number, addressIndex: number): void {
    const connection = new QuicConnection(this, id);
    const ports = this.#ports[addressIndex]!;
    const socketIndex = Math.floor(id / this.#settings.connectionsPerSocket);
    const port = ports[socketIndex % ports.length]!;
    this.connections[id] = connection;
    this.#attempts[id] = addressIndex;
    this.#portOf[id] = port;
    port.enter(connection);
    this.#dial(connection, addressIndex * this.#socketCount + socketIndex, 1);
  }

  #dial(connection: QuicConnection, key: number, tries: number): void {
    const { id } = connection;
    const port = this.#portOf[id]!;
    const socket = this.#sockets.enter(key, port.isIPv6);
    if (socket === undefined) {
      const text = "no source address and port is left";
      return connection.end(this.named(connection, text, "host-ports"), abortClose);
    }
    this.#socketOf[id] = socket;
    const { endpoint } = socket;
    this.#quic.connect(port.address, { ...this.#sessionOptions, endpoint }).then(
      (session) => {
        socket.isBound = true;
        connection.attach(session);
      },
      (error) => void this.#dialFailed(connection, socket, error, tries),
    );
  }

  /** The socket could not be bound, or the session could not be set up. Nothing was sent. */
  async #dialFailed(
    connection: QuicConnection,
    socket: SharedSocket,
    error: unknown,
    tries: number,
  ): Promise<void> {
    if (connection.isGone) return;
    if (!socket.endpoint.destroyed) {
      const kind = messageOf(error).startsWith("tls:") ? "tls" : "protocol";
      return connection.end(this.named(connection, messageOf(error), kind), abortClose);
    }
    this.#sockets.discard(socket);
    const cause = await endpointError(socket.endpoint);
    if (connection.isGone) return;
    const { source } = socket;
    const notBound = source &&
      bindFailure(codeOf(cause), source.address, this.failuresOf(connection));
    if (notBound !== undefined) return connection.end(notBound, abortClose);
    const isTaken = codeOf(cause) === "EADDRINUSE";
    if (isTaken && this.#settings.sources !== undefined && tries < maxSourceTries) {
      return this.#dial(connection, socket.key, tries + 1);
    }
    connection.end(this.failuresOf(connection).of(cause, "unreachable"), abortClose);
  }

  #socketLost(socket: SharedSocket): void {
    for (const connection of this.#connectionsWhere((id) => this.#socketOf[id] === socket)) {
      connection.fail(this.named(connection, "the UDP socket was lost", "unreachable"), abortClose);
    }
  }

  #connectionsWhere(isWanted: (id: number) => boolean): QuicConnection[] {
    return this.connections.filter((connection) =>
      connection !== undefined && isWanted(connection.id)
    ) as QuicConnection[];
  }

  #handshaken(
    connection: QuicConnection,
    session: NativeSession,
    handshake: NativeHandshake,
  ): void {
    const doubt = this.#options.insecure ? undefined : this.#doubtOf(session, handshake);
    if (doubt !== undefined) {
      return connection.end(this.named(connection, doubt, "tls"), badCertificateClose);
    }
    this.#portOf[connection.id]!.prove();
    if (!this.#settings.datagrams) return connection.openStream(() => this.#open(connection));
    if (session.maxDatagramSize > 0) return this.#open(connection);
    const text = "the server takes no datagrams (RFC 9221)";
    connection.end(this.named(connection, text, "protocol"), orderlyClose);
  }

  /** What is wrong with the server's certificate; undefined where nothing is. */
  #doubtOf(session: NativeSession, { validationErrorReason }: NativeHandshake): string | undefined {
    if (validationErrorReason !== undefined) return `certificate: ${validationErrorReason}`;
    const address = this.#options.verifiedAddress;
    if (address === undefined || session.peerCertificate?.checkIP(address) !== undefined) {
      return undefined;
    }
    return `certificate: not valid for the address ${address}`;
  }

  #open(connection: QuicConnection): void {
    this.#hasOpened = true;
    this.#preferred = this.#attempts[connection.id]!;
    connection.open(this.#settings.datagrams);
    this.handlers.open(connection.id);
  }

  protected failuresOf(connection: QuicConnection): NativeFailures {
    return this.#portOf[connection.id]!.failures;
  }

  protected override swept(nowMs: number): void {
    for (const ports of this.#ports) {
      for (const port of ports) port.look(this.tick, this.sweepMs, nowMs);
    }
  }

  ended(connection: QuicConnection, failure: Failure | undefined): void {
    const { id } = connection;
    const socket = this.#socketOf[id];
    this.connections[id] = undefined;
    this.#socketOf[id] = undefined;
    if (socket !== undefined) this.#sockets.leave(socket);
    this.#portOf[id]!.leave(connection);
    if (!connection.wasOpen && this.#attemptNext(id, failure)) return;
    this.handlers.close(id, failure);
  }

  /** Goes on to the target's next address where that makes sense. */
  #attemptNext(id: number, failure: Failure | undefined): boolean {
    const next = this.#attempts[id]! + 1;
    if (this.#hasOpened || this.#isShut || next >= this.#ports.length) return false;
    if (failure === undefined) {
      // The caller waited too long for this address; the next one comes first from now on.
      this.#preferred = next;
      return false;
    }
    const isOfAddress = failure.kind === "refused" || failure.kind === "unreachable" ||
      failure.kind === "timeout";
    if (isOfAddress) this.#attempt(id, next);
    return isOfAddress;
  }

  async shutdown(): Promise<void> {
    this.#isShut = true;
    for (const connection of this.#connectionsWhere(() => true)) {
      connection.end(undefined, orderlyClose);
    }
    for (const port of this.#ports.flat()) port.close();
    this.stopTimers();
    await this.#sockets.shutdown();
  }
}
