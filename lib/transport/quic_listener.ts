import type { Failure } from "../stats/failure.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { FreeIds } from "./free_ids.ts";
import { listenError } from "./listen_error.ts";
import { codeOf, NativeFailures } from "./native_failure.ts";
import { connectionOfSession, QuicConnection } from "./quic_connection.ts";
import { QuicConnections, surface } from "./quic_connections.ts";
import { orderlyClose, refusedClose } from "./quic_failure.ts";
import {
  destroyEndpoint,
  endpointError,
  type NativeEndpoint,
  type NativeQuic,
  type NativeSession,
  type NativeSessionOptions,
  newEndpoint,
} from "./quic_native.ts";
import { quietIcmpErrors } from "./quic_sockets.ts";
import { hostPort, resolveHost } from "./resolve.ts";
import type { ConnectionHandlers, Listener, ListenSettings, TransportTraits } from "./transport.ts";

const traits: TransportTraits = {
  framing: "stream",
  reliable: true,
  ordered: true,
  secure: true,
  maxMessageBytes: Infinity,
};

/** What the kernel's buffers would hold of a TCP connection besides what the caller keeps. */
const bufferBytes = 4 * 1024 * 1024;
/** How long the peers have to take part in the orderly end of their connections. */
const shutdownWithinMs = 3000;
const endpointClosesWithinMs = 2000;
/** Half of what lsquic has patience for. */
const stillMs = 30_000;

/** What every session is accepted with. */
export interface QuicServerOptions {
  readonly session: Omit<NativeSessionOptions, "endpoint" | "onerror">;
  /** The idle timeout that sessions are expected to have, by their clients. */
  readonly quietMs: number;
}

/**
 * Listens on QUIC, on every port of a range: one endpoint a port, because a packet costs time in
 * proportion to the sessions of its endpoint.
 *
 * A connection is a session with the first bidirectional stream that the peer opens; no more are
 * allowed. It is open when the handshake is complete, so that a peer that only sends datagrams has
 * one too. What is sent goes the way of what came last: as datagrams of `messageBytes` each, or on the
 * stream. Before anything came there is nowhere to send to: `send` accepts nothing, `drain` follows.
 */
export class QuicListener extends QuicConnections implements Listener {
  readonly endpoint: Endpoint;
  readonly traits = traits;
  readonly #settings: ListenSettings;
  readonly #endpoints: readonly NativeEndpoint[];
  readonly #ids = new FreeIds();
  readonly #failures: NativeFailures;
  readonly #tooMany: Failure;
  #isShut = false;
  #whenEmpty: (() => void) | undefined;

  /**
   * Binds all ports of the endpoint, or none.
   *
   * @throws {HostLimitError} one of them is in use or may not be bound.
   */
  static async listenOn(
    quic: NativeQuic,
    endpoint: Endpoint,
    handlers: ConnectionHandlers,
    settings: ListenSettings,
    options: QuicServerOptions,
  ): Promise<QuicListener> {
    const sessions = new SessionCallbacks();
    const sessionOptions = { ...options.session, ...sessions.callbacks };
    const endpoints: NativeEndpoint[] = [];
    try {
      for (let port = endpoint.port; port <= endpoint.lastPort; port++) {
        const accept = (session: NativeSession) => sessions.accept(session);
        const single = { ...endpoint, port, lastPort: port };
        endpoints.push(await bindPort(quic, single, accept, sessionOptions));
      }
    } catch (error) {
      await Promise.all(endpoints.map((bound) => destroyEndpoint(bound, endpointClosesWithinMs)));
      throw error;
    }
    quietIcmpErrors(new Set(endpoints.map((bound) => bound.address!.port)));
    const port = endpoints[0]!.address!.port;
    const lastPort = endpoints.at(-1)!.address!.port;
    const bound = { ...endpoint, port, lastPort };
    const listener = new QuicListener(bound, endpoints, handlers, settings, options.quietMs);
    sessions.listener = listener;
    return listener;
  }

  private constructor(
    endpoint: Endpoint,
    endpoints: readonly NativeEndpoint[],
    handlers: ConnectionHandlers,
    settings: ListenSettings,
    quietMs: number,
  ) {
    const { idleTimeoutMs, maxPendingBytes, maxConnections } = settings;
    super(handlers, {
      quietMs,
      idleTimeoutMs,
      maxUnreadBytes: maxPendingBytes + bufferBytes,
      stillMs,
    });
    this.endpoint = endpoint;
    this.#endpoints = endpoints;
    this.#settings = settings;
    this.#failures = new NativeFailures(`on ${formatEndpoint(endpoint)}`);
    this.#tooMany = { kind: "refused", detail: `max-connections ${maxConnections} are open` };
  }

  /** A client's first packet has come. */
  accept(session: NativeSession): void {
    new QuicConnection(this, -1).attach(session);
  }

  handshaken(connection: QuicConnection): void {
    if (this.#isShut) return connection.end(undefined, orderlyClose);
    if (this.#ids.used >= this.#settings.maxConnections) {
      return connection.end(this.#tooMany, refusedClose);
    }
    const id = this.#ids.take();
    connection.id = id;
    this.connections[id] = connection;
    connection.open(false);
    this.handlers.open(id);
  }

  ended(connection: QuicConnection, failure: Failure | undefined): void {
    const { id } = connection;
    if (!connection.wasOpen) {
      if (failure !== undefined && !this.#isShut) this.#settings.refused(failure);
      return;
    }
    this.connections[id] = undefined;
    this.#ids.release(id);
    if (this.#ids.used === 0 && this.#whenEmpty !== undefined) queueMicrotask(this.#whenEmpty);
    this.handlers.close(id, failure);
  }

  protected failuresOf(_connection: QuicConnection): NativeFailures {
    return this.#failures;
  }

  stopAccepting(): void {
    // Clients read CONNECTION_REFUSED.
    for (const endpoint of this.#endpoints) {
      if (!endpoint.destroyed) endpoint.busy = true;
    }
  }

  async shutdown(): Promise<void> {
    if (this.#isShut) return;
    this.stopAccepting();
    this.#isShut = true;
    for (let id = 0; id < this.connections.length; id++) this.close(id);
    if (this.#ids.used > 0) await this.#emptied(shutdownWithinMs);
    for (const connection of this.connections) connection?.end(undefined, orderlyClose);
    await Promise.all(
      this.#endpoints.map((endpoint) => destroyEndpoint(endpoint, endpointClosesWithinMs)),
    );
    this.stopTimers();
  }

  #emptied(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#whenEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** What the runtime calls for sessions of endpoints that are bound one after the other. */
class SessionCallbacks {
  listener: QuicListener | undefined;

  /** Before all ports are bound nobody is let in; the client's next try is in 0.1 s or so. */
  accept(session: NativeSession): void {
    if (this.listener === undefined) session.destroy();
    else this.listener.accept(session);
  }

  /** One set for all sessions; `this` is the session. */
  get callbacks(): Partial<NativeSessionOptions> & Pick<NativeSessionOptions, "onerror"> {
    const handle = (session: NativeSession, act: (connection: QuicConnection) => void) => {
      const connection = connectionOfSession.get(session);
      if (connection === undefined || connection.isGone) return;
      try {
        act(connection);
      } catch (error) {
        surface(error);
      }
    };
    const handshaken = (connection: QuicConnection) => this.listener?.handshaken(connection);
    return {
      onerror() {},
      onhandshake() {
        handle(this, handshaken);
      },
      onstream(stream) {
        const connection = connectionOfSession.get(this);
        if (connection === undefined) stream.destroy();
        else connection.takeStream(stream);
      },
      ondatagram(bytes) {
        const connection = connectionOfSession.get(this);
        if (connection === undefined) return;
        try {
          connection.takeDatagram(bytes);
        } catch (error) {
          surface(error);
        }
      },
    };
  }
}

/** @throws {HostLimitError} the port is in use or may not be bound. */
async function bindPort(
  quic: NativeQuic,
  endpoint: Endpoint,
  accept: (session: NativeSession) => void,
  options: Omit<NativeSessionOptions, "endpoint">,
): Promise<NativeEndpoint> {
  const { host, port } = endpoint;
  let error: unknown;
  for (const address of await bindAddresses(endpoint)) {
    const native = newEndpoint(quic, hostPort(address, port));
    const bound = await quic.listen(accept, { ...options, endpoint: native });
    if (!bound.destroyed) return bound;
    error = await endpointError(bound);
    const code = codeOf(error);
    // Only a host without IPv6 makes do with IPv4.
    if (host !== "" || (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL")) break;
  }
  throw listenError(endpoint, error);
}

async function bindAddresses(endpoint: Endpoint): Promise<readonly string[]> {
  // `::` takes IPv4 as well (RFC 3493, section 5.3).
  if (endpoint.host === "") return ["::", "0.0.0.0"];
  try {
    return (await resolveHost(endpoint.host)).slice(0, 1);
  } catch (error) {
    throw listenError(endpoint, error);
  }
}
