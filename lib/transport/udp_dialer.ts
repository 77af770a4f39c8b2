import type { Failure } from "../stats/failure.ts";
import { setReceiveBuffer, setSendBuffer } from "../host/libc.ts";
import { codeOf, NativeFailures } from "./native_failure.ts";
import { hostPort } from "./resolve.ts";
import { bindFailure, maxSourceTries } from "./source_failure.ts";
import type { DialTarget } from "./stream_dialer.ts";
import type {
  ConnectionHandlers,
  Dialer,
  DialSettings,
  SourceAddresses,
  TransportTraits,
} from "./transport.ts";

/** Room for a burst on one connection; the default of 208 KiB holds about 256 datagrams. */
const bufferBytes = 1024 * 1024;

// States of a connection, as bits; 0 is an id that is free.
const isConnecting = 1;
const isOpen = 2;
/** A send was refused for want of buffer space, and `drain` has to follow. */
const isBlocked = 4;

/** A connected socket. Bun has the fd, and lets the id be kept on it; its types know neither. */
interface ConnectedSocket extends Bun.udp.ConnectedSocket<"uint8array"> {
  readonly fd: number;
  /** -1 once the socket is no connection's any more. */
  connection: number;
}

/**
 * A connected UDP socket for each connection, all with one object of handlers.
 *
 * A connection costs 14 bytes here (22 with sources); Bun's socket takes about 1.2 to 1.8 KB.
 */
export class UdpDialer implements Dialer {
  readonly traits: TransportTraits;
  readonly #handlers: ConnectionHandlers;
  readonly #target: DialTarget;
  readonly #sources: SourceAddresses | undefined;
  readonly #failures: readonly NativeFailures[];
  readonly #sockets: (ConnectedSocket | undefined)[] = [];
  readonly #states: Uint8Array;
  /** Raised when a connect is abandoned, so that its socket is known when it comes after all. */
  readonly #generations: Uint32Array;
  readonly #addresses: Uint8Array;
  /** The source pair that a connection has, -1 without one; empty where the kernel chooses. */
  readonly #pairs: Float64Array;
  readonly #socketHandlers: Bun.udp.ConnectedSocketHandler<"uint8array">;
  /** The messages of one `sendMany`; used again. */
  readonly #batch: Uint8Array[] = [];
  #preferred = 0;
  /** Nothing but an answer shows that an address is the right one. */
  #hasAnswered = false;
  #isShut = false;

  constructor(
    target: DialTarget,
    handlers: ConnectionHandlers,
    settings: DialSettings,
    traits: TransportTraits,
  ) {
    this.traits = traits;
    this.#handlers = handlers;
    this.#target = target;
    this.#sources = settings.sources;
    this.#failures = target.addresses.map((address) =>
      new NativeFailures(hostPort(address, target.port))
    );
    this.#states = new Uint8Array(settings.capacity);
    this.#generations = new Uint32Array(settings.capacity);
    this.#addresses = new Uint8Array(settings.capacity);
    this.#pairs = new Float64Array(this.#sources === undefined ? 0 : settings.capacity).fill(-1);
    for (let id = 0; id < settings.capacity; id++) this.#sockets.push(undefined);
    const erred = (socket: ConnectedSocket, error: unknown) => this.#erred(socket, error);
    this.#socketHandlers = {
      data: (socket, bytes) => this.#received((socket as ConnectedSocket).connection, bytes),
      drain: (socket) => this.#writable((socket as ConnectedSocket).connection),
      // Called with the error alone, and the socket as `this`; its type says otherwise.
      error(this: unknown, ...args: unknown[]) {
        erred(this as ConnectedSocket, args.at(-1));
      },
    };
  }

  connect(id: number): void {
    if (!(id >= 0 && id < this.#states.length)) {
      throw new RangeError(`connection id ${id} is not below the capacity ${this.#states.length}`);
    }
    if (this.#isShut) return this.#handlers.close(id, undefined);
    if (this.#states[id] !== 0) {
      throw new RangeError(`connection id ${id} is in use; wait for its close`);
    }
    this.#states[id] = isConnecting;
    this.#addresses[id] = this.#preferred;
    void this.#open(id, this.#generations[id]!, this.#preferred);
  }

  serverOf(id: number): string | undefined {
    return this.#target.addresses[this.#addresses[id]!];
  }

  async #open(id: number, generation: number, addressIndex: number): Promise<void> {
    const address = this.#target.addresses[addressIndex]!;
    const failures = this.#failures[addressIndex]!;
    const isCurrent = () =>
      this.#generations[id] === generation && this.#states[id] === isConnecting;
    const sources = this.#sources;
    const isIPv6 = address.includes(":");
    for (let tries = 1;; tries++) {
      const pair = sources?.next(isIPv6) ?? -1;
      if (sources !== undefined && pair < 0) {
        const text = "no source address and port is left for";
        return this.#failed(id, failures.named(text, "host-ports"));
      }
      const from = sources?.address ?? (isIPv6 ? "::" : "0.0.0.0");
      const options: Bun.udp.ConnectSocketOptions<"uint8array"> = {
        binaryType: "uint8array",
        hostname: from,
        port: sources?.port ?? 0,
        connect: { hostname: address, port: this.#target.port },
        socket: this.#socketHandlers,
      };
      try {
        const socket = await Bun.udpSocket(options) as ConnectedSocket;
        if (!isCurrent()) {
          socket.connection = -1;
          socket.close();
          sources?.release(pair);
          return;
        }
        if (sources !== undefined) this.#pairs[id] = pair;
        this.#opened(id, socket);
        return;
      } catch (error) {
        sources?.release(pair);
        if (!isCurrent()) return;
        const code = codeOf(error);
        const notBound = sources && bindFailure(code, from, failures);
        if (notBound !== undefined) return this.#failed(id, notBound);
        const isTaken = code === "EADDRINUSE" || code === "EADDRNOTAVAIL";
        if (isTaken && sources !== undefined && tries < maxSourceTries) continue;
        return this.#failed(id, failures.of(error, "unreachable"));
      }
    }
  }

  #opened(id: number, socket: ConnectedSocket): void {
    setReceiveBuffer(socket.fd, bufferBytes);
    setSendBuffer(socket.fd, bufferBytes);
    socket.connection = id;
    this.#sockets[id] = socket;
    this.#states[id] = isOpen;
    this.#handlers.open(id);
  }

  #received(id: number, bytes: Uint8Array): void {
    if (id < 0) return;
    this.#hasAnswered = true;
    this.#handlers.data(id, bytes, false);
  }

  #writable(id: number): void {
    // Undefined before the socket has its id: Bun calls once as soon as it can be written to.
    if (id === undefined || id < 0 || (this.#states[id]! & isBlocked) === 0) return;
    this.#states[id]! &= ~isBlocked;
    this.#handlers.drain(id);
  }

  /** An ICMP message about a datagram of this connection, or what a handler threw. */
  #erred(socket: ConnectedSocket, error: unknown): void {
    const code = codeOf(error);
    if (code === "") {
      queueMicrotask(() => {
        throw error;
      });
      return;
    }
    // The path takes smaller packets only: from now on the kernel fragments (RFC 1191).
    if (code === "EMSGSIZE") return;
    const id = socket.connection;
    if (id !== undefined && id >= 0) this.#failed(id, this.#failureOf(id, error));
  }

  #failureOf(id: number, error: unknown): Failure {
    return this.#failures[this.#addresses[id]!]!.of(error, "protocol");
  }

  send(
    id: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    messageBytes: number,
  ): number {
    if (this.#states[id] !== isOpen || length === 0) return 0;
    const socket = this.#sockets[id]!;
    let sent: number;
    try {
      if (length === messageBytes) {
        const isAll = length === bytes.length;
        sent = socket.send(isAll ? bytes : bytes.subarray(offset, offset + length)) ? length : 0;
      } else {
        sent = this.#sendMany(socket, bytes, offset, length, messageBytes);
      }
    } catch (error) {
      // An earlier datagram was turned away, or this one is too long.
      this.#failed(id, this.#failureOf(id, error));
      return 0;
    }
    if (sent < length) this.#states[id]! |= isBlocked;
    return sent;
  }

  /** Several messages with one system call. */
  #sendMany(
    socket: ConnectedSocket,
    bytes: Uint8Array,
    offset: number,
    length: number,
    messageBytes: number,
  ): number {
    const batch = this.#batch;
    batch.length = 0;
    for (let from = offset; from < offset + length; from += messageBytes) {
      batch.push(bytes.subarray(from, from + messageBytes));
    }
    return socket.sendMany(batch) * messageBytes;
  }

  /** The kernel drops what nobody reads: there is no backpressure. */
  pause(_id: number): void {}
  resume(_id: number): void {}
  /** Datagrams have no end. */
  finish(_id: number): void {}

  close(id: number): void {
    this.terminate(id);
  }

  terminate(id: number): void {
    if (this.#states[id] !== 0) this.#ended(id, undefined);
  }

  #failed(id: number, failure: Failure): void {
    // Nobody there: the next connection tries the next address, unless this one has answered.
    if (!this.#hasAnswered && (failure.kind === "refused" || failure.kind === "unreachable")) {
      this.#preferred = (this.#addresses[id]! + 1) % this.#target.addresses.length;
    }
    this.#ended(id, failure);
  }

  #ended(id: number, failure: Failure | undefined): void {
    const socket = this.#sockets[id];
    if (this.#states[id] === isConnecting) this.#generations[id]!++;
    this.#states[id] = 0;
    this.#sockets[id] = undefined;
    if (socket !== undefined) {
      socket.connection = -1;
      socket.close();
    }
    const pair = this.#pairs[id] ?? -1;
    if (pair >= 0) {
      this.#pairs[id] = -1;
      this.#sources!.release(pair);
    }
    this.#handlers.close(id, failure);
  }

  shutdown(): Promise<void> {
    this.#isShut = true;
    for (let id = 0; id < this.#states.length; id++) this.terminate(id);
    return Promise.resolve();
  }
}
