import type { Failure } from "../stats/failure.ts";
import { fdCeiling, isOutOfFds } from "./descriptors.ts";
import { HeldSources } from "./held_sources.ts";
import { codeOf, kindOfError, NativeFailures } from "./native_failure.ts";
import { hostPort } from "./resolve.ts";
import { bindFailure, maxSourceTries } from "./source_failure.ts";
import {
  isAsked,
  isConnecting,
  isOpen,
  StreamConnections,
  type StreamSocket,
  type StreamSocketHandlers,
} from "./stream_connections.ts";
import type {
  ConnectionHandlers,
  Dialer,
  DialSettings,
  SourceAddresses,
  TransportTraits,
} from "./transport.ts";

/** Options of `Bun.connect`, with two that its types leave out. */
interface ConnectOptions extends Bun.TCPSocketConnectOptions<number> {
  localAddress?: string;
  localPort?: number;
}

export interface DialTarget {
  /** In order of preference, at least one. */
  readonly addresses: readonly string[];
  readonly port: number;
}

/**
 * Dials TCP, and TLS where `tls` is given.
 *
 * Until a connection has opened, one that its address refuses goes on to the target's next address;
 * from then on only the address that answered is used.
 *
 * A connection costs 5 bytes here (13 with sources), besides what `StreamConnections` says.
 */
export class StreamDialer extends StreamConnections implements Dialer {
  readonly traits: TransportTraits;
  readonly #target: DialTarget;
  readonly #sources: SourceAddresses | undefined;
  readonly #isTls: boolean;
  /** Certificates are not verified. */
  readonly #acceptsAny: boolean;
  /** One object for all connects; `Bun.connect` reads it before it returns. */
  readonly #options: ConnectOptions;
  readonly #connectFailures: readonly NativeFailures[];
  readonly #capacity: number;
  /** Raised when a connect is abandoned, so that its socket is known when it comes after all. */
  readonly #generations: Uint32Array;
  /** Index of the address that an attempt is for. */
  readonly #attempts: Uint8Array;
  /** Undefined where the kernel chooses. */
  readonly #held: HeldSources | undefined;
  /** Connects in progress that were given up, each with a descriptor; and how many there may be. */
  #abandoned = 0;
  readonly #mostAbandoned: number;
  #preferred = 0;
  #hasOpened = false;
  #isConnecting = false;
  #immediateError: Error | undefined;
  #isShut = false;

  constructor(
    target: DialTarget,
    handlers: ConnectionHandlers,
    settings: DialSettings,
    traits: TransportTraits,
    tls?: Bun.TLSOptions,
  ) {
    const where = (address: string) => hostPort(address, target.port);
    super(handlers, settings.capacity, 0, new NativeFailures(where(target.addresses[0]!)));
    this.traits = traits;
    this.#target = target;
    this.#sources = settings.sources;
    this.#isTls = tls !== undefined;
    this.#acceptsAny = tls?.rejectUnauthorized === false;
    this.#capacity = Math.max(1, settings.capacity);
    this.#generations = new Uint32Array(settings.capacity);
    this.#mostAbandoned = fdCeiling() - settings.capacity;
    this.#attempts = new Uint8Array(settings.capacity);
    this.#held = settings.sources && new HeldSources(settings.sources, settings.capacity);
    this.#connectFailures = target.addresses.map((address) =>
      new NativeFailures(`connect ${where(address)}`)
    );
    for (let id = 0; id < settings.capacity; id++) this.sockets.push(undefined);
    this.#options = {
      hostname: target.addresses[0]!,
      port: target.port,
      allowHalfOpen: true,
      socket: this.#socketHandlers(),
      ...(tls === undefined ? {} : { tls }),
    };
  }

  #socketHandlers(): StreamSocketHandlers {
    return {
      binaryType: "uint8array",
      open: (socket) => this.#socketOpened(socket),
      data: (socket, bytes) => this.received(socket, bytes),
      drain: (socket) => this.writable(socket),
      end: (socket) => this.ended(socket),
      close: (socket, error) => this.closed(socket, error),
      error: (socket, error) => this.erred(socket, error),
      connectError: (socket, error) => this.#connectError(socket, error),
      ...(this.#isTls
        ? {
          handshake: (socket: StreamSocket, isVerified: boolean, error: Error | null) =>
            this.#handshaken(socket, isVerified, error),
        }
        : {}),
    };
  }

  connect(id: number): void {
    if (!(id >= 0 && id < this.#generations.length)) {
      throw new RangeError(`connection id ${id} is not below the capacity ${this.#capacity}`);
    }
    if (this.#isShut) return this.handlers.close(id, undefined);
    if (this.states[id] !== 0 || this.sockets[id] !== undefined) {
      throw new RangeError(`connection id ${id} is in use; wait for its close`);
    }
    // Where nobody answers, each attempt leaves a socket behind until the kernel gives it up.
    if (this.#generations[id]! > 0 && this.#abandoned > this.#mostAbandoned) {
      const text = "too many earlier attempts still wait for an answer";
      const failure = this.#connectFailures[this.#preferred]!.named(text, "timeout");
      return this.handlers.close(id, failure);
    }
    this.#attempt(id, this.#preferred);
  }

  serverOf(id: number): string | undefined {
    return this.#target.addresses[this.#attempts[id]!];
  }

  #attempt(id: number, addressIndex: number): void {
    const options = this.#options;
    const sources = this.#sources;
    const failures = this.#connectFailures[addressIndex]!;
    this.states[id] = isConnecting;
    this.#attempts[id] = addressIndex;
    options.hostname = this.#target.addresses[addressIndex]!;
    options.data = this.#attemptOf(id);
    if (sources !== undefined) return this.#attemptFrom(sources, id, failures);
    const error = this.#tryConnect();
    if (error !== undefined) this.#failed(id, this.#immediateFailure(error, failures, ""));
  }

  /** What marks the socket of the attempt that is being made. */
  #attemptOf(id: number): number {
    return this.#generations[id]! * this.#capacity + id;
  }

  /** Tries sources until one is free. */
  #attemptFrom(sources: SourceAddresses, id: number, failures: NativeFailures): void {
    const options = this.#options;
    const isIPv6 = options.hostname.includes(":");
    for (let tries = 1;; tries++) {
      const pair = sources.next(isIPv6);
      if (pair < 0) {
        const failure = failures.named("no source address and port is left", "host-ports");
        return this.#failed(id, failure);
      }
      const { address } = sources;
      options.localAddress = address;
      options.localPort = sources.port;
      const error = this.#tryConnect();
      if (error === undefined) {
        this.#held!.hold(id, pair);
        return;
      }
      sources.release(pair);
      const code = codeOf(error);
      const notBound = bindFailure(code, address, failures);
      if (notBound !== undefined) return this.#failed(id, notBound);
      const isTaken = code === "EADDRINUSE" || code === "EADDRNOTAVAIL";
      if (isTaken && tries < maxSourceTries) continue;
      return this.#failed(id, this.#immediateFailure(error, failures, ` from ${address},`));
    }
  }

  /** @returns what went wrong before anything was sent. */
  #tryConnect(): Error | undefined {
    this.#immediateError = undefined;
    this.#isConnecting = true;
    try {
      // Rejections need no handler: with `connectError` the runtime counts them as handled.
      Bun.connect<number>(this.#options);
    } catch (error) {
      this.#immediateError = error as Error;
    } finally {
      this.#isConnecting = false;
    }
    return this.#immediateError;
  }

  /**
   * The runtime says ECONNREFUSED too where socket(2) or connect(2) itself failed, but says so
   * before `Bun.connect` returns, which a refusal by the network on Linux never does.
   */
  #immediateFailure(error: Error, failures: NativeFailures, from: string): Failure {
    if (codeOf(error) !== "ECONNREFUSED" || process.platform === "win32") {
      return failures.of(error, "unreachable");
    }
    if (isOutOfFds()) return failures.named("EMFILE", "host-fds");
    return process.platform === "linux"
      ? failures.named(`no route${from}`, "unreachable")
      : failures.of(error, "refused");
  }

  /**
   * What the network answered. The runtime calls all of it ECONNREFUSED, so that the rare
   * EHOSTUNREACH of a router or a neighbour that is not there counts as a refusal too.
   */
  #connectError(socket: StreamSocket, error: Error): void {
    if (this.#isConnecting) {
      this.#immediateError = error;
      return;
    }
    const id = this.#current(socket.data);
    if (id < 0) {
      if (socket.data >= 0) this.#abandoned--;
      return this.#held?.releaseAbandoned(socket.data);
    }
    this.#held?.release(id);
    this.#failed(id, this.#connectFailures[this.#attempts[id]!]!.of(error, "refused"));
  }

  /** The id of an attempt that was not abandoned since, or -1. */
  #current(attempt: number): number {
    if (attempt < 0) return -1;
    const id = attempt % this.#capacity;
    const isCurrent = (attempt - id) / this.#capacity === this.#generations[id];
    return isCurrent && this.states[id] === isConnecting ? id : -1;
  }

  #failed(id: number, failure: Failure): void {
    const next = this.#attempts[id]! + 1;
    const isOfAddress = failure.kind === "refused" || failure.kind === "unreachable" ||
      failure.kind === "timeout";
    if (!this.#hasOpened && isOfAddress && next < this.#target.addresses.length) {
      return this.#attempt(id, next);
    }
    this.states[id] = 0;
    this.handlers.close(id, failure);
  }

  #socketOpened(socket: StreamSocket): void {
    const id = this.#current(socket.data);
    if (id < 0) {
      const attempt = socket.data;
      if (attempt >= 0) this.#abandoned--;
      socket.data = -1;
      socket.terminate();
      this.#held?.releaseAbandoned(attempt);
      return;
    }
    socket.data = id;
    this.sockets[id] = socket;
    this.activity[id] = this.tick;
    this.states[id] = 0;
    if (!this.#hasOpened) this.#settleOn(this.#attempts[id]!);
    if (!this.#isTls) this.#open(id);
  }

  /** From the first connection on, the address that answered is the only one. */
  #settleOn(addressIndex: number): void {
    this.#hasOpened = true;
    this.#preferred = addressIndex;
    const { addresses, port } = this.#target;
    this.failures = new NativeFailures(hostPort(addresses[addressIndex]!, port));
  }

  #open(id: number): void {
    this.states[id]! |= isOpen;
    this.handlers.open(id);
  }

  /**
   * `isVerified` is false too where the handshake is complete and only the certificate is wrong,
   * which does not matter to who accepts any. Bun closes the socket after a handshake that failed.
   */
  #handshaken(socket: StreamSocket, isVerified: boolean, error: Error | null): void {
    const id = socket.data;
    if (id < 0 || this.states[id]! & (isAsked | isOpen)) return;
    const code = codeOf(error);
    const isComplete = isVerified || (code !== "ECONNRESET" && kindOfError(error, "dns") !== "tls");
    const hasProof = isVerified && (error === null || error === undefined);
    if (isComplete && (hasProof || this.#acceptsAny)) return this.#open(id);
    this.expectClose(
      id,
      code === "ECONNRESET"
        ? this.failures.named("closed during the TLS handshake", "closed-by-peer")
        : this.failures.ofText(error, "tls"),
    );
  }

  protected closedUnopened(id: number, failure: Failure | undefined): void {
    this.handlers.close(id, failure);
  }

  protected release(id: number): void {
    this.#held?.release(id);
  }

  /**
   * There is no handle on a connect in progress: it is given up, and its socket is closed when it
   * opens after all. Until then, or until the kernel gives up, it holds a descriptor.
   */
  protected terminateUnopened(id: number): void {
    if (this.states[id] !== isConnecting) return;
    this.#held?.abandon(id, this.#attemptOf(id));
    this.#generations[id]!++;
    this.#abandoned++;
    this.states[id] = 0;
    // The caller waited too long for this address; where there is another, it comes next.
    if (!this.#hasOpened) {
      this.#preferred = (this.#attempts[id]! + 1) % this.#target.addresses.length;
    }
    this.handlers.close(id, undefined);
  }

  shutdown(): Promise<void> {
    this.#isShut = true;
    for (let id = 0; id < this.sockets.length; id++) this.terminate(id);
    this.stopSweep();
    return Promise.resolve();
  }
}
