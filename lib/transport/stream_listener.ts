import type { Failure } from "../stats/failure.ts";
import { setListenBacklog } from "../host/libc.ts";
import { fdCeiling } from "./descriptors.ts";
import type { Endpoint } from "./endpoint.ts";
import { FreeIds } from "./free_ids.ts";
import { listenError } from "./listen_error.ts";
import { codeOf, NativeFailures } from "./native_failure.ts";
import { hostPort } from "./resolve.ts";
import {
  isAsked,
  isOpen,
  StreamConnections,
  type StreamSocket,
  type StreamSocketHandlers,
} from "./stream_connections.ts";
import type { ConnectionHandlers, Listener, ListenSettings, TransportTraits } from "./transport.ts";

/** A client that has not finished its TLS handshake by then is turned away. */
const handshakeTimeoutMs = 10_000;

/** What Bun has on sockets and takes as options, but leaves out of its types. */
interface WithFd {
  readonly fd: number;
}
interface ListenOptions extends Bun.TCPSocketListenOptions<number> {
  reusePort: boolean;
}

/**
 * Listens on TCP, and TLS where `tls` is given. A connection costs a bit for its id here, besides
 * what `StreamConnections` says.
 */
export class StreamListener extends StreamConnections implements Listener {
  readonly endpoint: Endpoint;
  readonly traits: TransportTraits;
  readonly #settings: ListenSettings;
  readonly #isTls: boolean;
  readonly #listener: Bun.TCPSocketListener<number>;
  readonly #ids = new FreeIds();
  readonly #fdCeiling = fdCeiling();
  readonly #tooMany: Failure;
  readonly #outOfFds: Failure;
  readonly #tooSlow: Failure = {
    kind: "tls",
    detail: `no TLS handshake within ${handshakeTimeoutMs} ms`,
  };
  #isAccepting = true;
  /** Resolved when the last connection has gone, once a shutdown waits for that. */
  #emptied: PromiseWithResolvers<void> | undefined;

  /** @throws {HostLimitError} the endpoint cannot be bound. */
  constructor(
    endpoint: Endpoint,
    handlers: ConnectionHandlers,
    settings: ListenSettings,
    traits: TransportTraits,
    tls?: Bun.TLSOptions,
  ) {
    const failures = new NativeFailures(`on ${hostPort(endpoint.host, endpoint.port)}`);
    super(handlers, 1024, settings.idleTimeoutMs, failures);
    this.traits = traits;
    this.#settings = settings;
    this.#isTls = tls !== undefined;
    this.#tooMany = {
      kind: "refused",
      detail: `max-connections ${settings.maxConnections} are open`,
    };
    this.#outOfFds = {
      kind: "host-fds",
      detail: `fd-limit: descriptors from ${this.#fdCeiling} on are kept in reserve`,
    };
    this.#listener = bind(endpoint, settings, this.#socketHandlers(), tls);
    const { port } = this.#listener;
    this.endpoint = { ...endpoint, port, lastPort: port };
    // The runtime always asks for 512.
    const { fd } = this.#listener as unknown as Partial<WithFd>;
    if (fd !== undefined && fd >= 0) setListenBacklog(fd, settings.backlog);
  }

  #socketHandlers(): StreamSocketHandlers {
    return {
      binaryType: "uint8array",
      open: (socket) => this.#accepted(socket),
      data: (socket, bytes) => this.received(socket, bytes),
      drain: (socket) => this.writable(socket),
      end: (socket) => this.ended(socket),
      close: (socket, error) => this.closed(socket, error),
      error: (socket, error) => this.erred(socket, error),
      ...(this.#isTls
        ? {
          handshake: (socket: StreamSocket, isVerified: boolean, error: Error | null) =>
            this.#handshaken(socket, isVerified, error),
        }
        : {}),
    };
  }

  #accepted(socket: StreamSocket): void {
    socket.data = -1;
    const { fd } = socket as unknown as WithFd;
    const isOutOfFds = fd >= this.#fdCeiling && process.platform !== "win32";
    if (isOutOfFds || this.#ids.used >= this.#settings.maxConnections || !this.#isAccepting) {
      socket.terminate();
      if (this.#isAccepting) this.#settings.refused(isOutOfFds ? this.#outOfFds : this.#tooMany);
      return;
    }
    const id = this.#ids.take();
    if (id >= this.states.length) this.#grow();
    while (this.sockets.length <= id) this.sockets.push(undefined);
    socket.data = id;
    this.sockets[id] = socket;
    this.activity[id] = this.tick;
    if (this.#isTls) {
      this.states[id] = 0;
      this.startSweep();
      return;
    }
    this.states[id] = isOpen;
    this.handlers.open(id);
  }

  #grow(): void {
    const states = new Uint8Array(this.states.length * 2);
    states.set(this.states);
    this.states = states;
    const activity = new Uint32Array(states.length);
    activity.set(this.activity);
    this.activity = activity;
  }

  /** Bun closes the socket after a handshake that failed. */
  #handshaken(socket: StreamSocket, isVerified: boolean, error: Error | null): void {
    const id = socket.data;
    if (id < 0 || this.states[id]! & (isAsked | isOpen)) return;
    if (isVerified) {
      this.states[id]! |= isOpen;
      this.activity[id] = this.tick;
      this.handlers.open(id);
      return;
    }
    const isCut = codeOf(error) === "ECONNRESET";
    this.expectClose(
      id,
      isCut
        ? this.failures.named("closed during the TLS handshake", "tls")
        : this.failures.ofText(error, "tls"),
    );
  }

  protected override sweepUnopened(id: number, waitedMs: number): boolean {
    if (waitedMs > handshakeTimeoutMs) {
      this.expectClose(id, this.#tooSlow);
      this.terminate(id);
    }
    return true;
  }

  protected closedUnopened(_id: number, failure: Failure | undefined): void {
    if (failure !== undefined) this.#settings.refused(failure);
  }

  protected release(id: number): void {
    this.#ids.release(id);
    if (this.#ids.used === 0) this.#emptied?.resolve();
  }

  /** Every socket of a listener exists. */
  protected terminateUnopened(_id: number): void {}

  stopAccepting(): void {
    if (!this.#isAccepting) return;
    this.#isAccepting = false;
    this.#listener.stop(false);
  }

  async shutdown(): Promise<void> {
    this.stopAccepting();
    for (let id = 0; id < this.sockets.length; id++) this.close(id);
    // The sweep terminates those whose peers take too long.
    if (this.#ids.used > 0) {
      this.#emptied ??= Promise.withResolvers<void>();
      await this.#emptied.promise;
    }
    this.stopSweep();
  }
}

function bind(
  endpoint: Endpoint,
  settings: ListenSettings,
  socket: StreamSocketHandlers,
  tls: Bun.TLSOptions | undefined,
): Bun.TCPSocketListener<number> {
  const options: ListenOptions = {
    hostname: endpoint.host,
    port: endpoint.port,
    allowHalfOpen: true,
    reusePort: settings.reusePort,
    socket,
    ...(tls === undefined ? {} : { tls }),
  };
  if (endpoint.host !== "") return listen(options, endpoint);
  try {
    // Takes IPv4 as well (RFC 3493, section 5.3).
    return Bun.listen<number>({ ...options, hostname: "::" });
  } catch (error) {
    const code = codeOf(error);
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") throw listenError(endpoint, error);
    return listen({ ...options, hostname: "0.0.0.0" }, endpoint);
  }
}

function listen(options: ListenOptions, endpoint: Endpoint): Bun.TCPSocketListener<number> {
  try {
    return Bun.listen<number>(options);
  } catch (error) {
    throw listenError(endpoint, error);
  }
}
