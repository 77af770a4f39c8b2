import type { Failure } from "../stats/failure.ts";
import type { NativeFailures } from "./native_failure.ts";
import type { ConnectionHandlers, Connections } from "./transport.ts";

/** A Bun socket that knows its connection's id; -1 once it has none. */
export type StreamSocket = Bun.Socket<number>;

/** What Bun calls; one object for all sockets of a dialer or listener. */
export type StreamSocketHandlers = Bun.SocketHandler<number>;

/** States of a connection, as bits. */
export const isOpen = 1;
/** A send was cut short, and `drain` has to follow. */
export const isBlocked = 2;
/** The peer's FIN has come. */
export const isEnded = 4;
/** Our FIN has gone out. */
export const isFinished = 8;
/** This side has asked for the end: nothing more is reported but the close. */
export const isAsked = 16;
/** The dialer has no socket yet. */
export const isConnecting = 32;
export const isPaused = 64;

/** How long an orderly close waits for the peer's FIN before the socket is closed anyway. */
const lingerMs = 1000;

/**
 * What dialer and listener of byte streams (TCP, TLS) have in common: sockets by id and the life
 * of an open connection.
 *
 * A connection costs 8 bytes for the slot in `sockets`, 1 for its state and 4 for its last
 * activity; Bun's socket and its wrapper take about 1.1 to 1.4 KB, and about 7 to 10 KB with TLS.
 *
 * An orderly close sends FIN and reads on, dropping what comes, until the peer's FIN: closing a
 * socket with unread bytes makes the kernel send RST, which can take away from the peer what it
 * has not read yet (RFC 2525, section 2.17).
 */
export abstract class StreamConnections implements Connections {
  protected readonly handlers: ConnectionHandlers;
  protected readonly sockets: (StreamSocket | undefined)[] = [];
  protected states: Uint8Array;
  /** The sweep's tick at which something last moved on a connection. */
  protected activity: Uint32Array;
  protected tick = 0;
  /** Why a connection is about to close, where the close event itself will not tell. */
  readonly #reasons = new Map<number, Failure>();
  protected failures: NativeFailures;
  readonly #tickMs: number;
  readonly #idleTicks: number;
  readonly #idleFailure: Failure;
  #sweepTimer: ReturnType<typeof setInterval> | undefined;

  constructor(
    handlers: ConnectionHandlers,
    capacity: number,
    idleTimeoutMs: number,
    failures: NativeFailures,
  ) {
    this.handlers = handlers;
    this.states = new Uint8Array(capacity);
    this.activity = new Uint32Array(capacity);
    this.failures = failures;
    this.#tickMs = idleTimeoutMs > 0 ? Math.min(250, Math.max(5, idleTimeoutMs / 8)) : 250;
    this.#idleTicks = Math.ceil(idleTimeoutMs / this.#tickMs);
    this.#idleFailure = { kind: "idle", detail: `nothing moved for ${idleTimeoutMs} ms` };
    if (this.#idleTicks > 0) this.startSweep();
  }

  /** The connection is closed before it was open. */
  protected abstract closedUnopened(id: number, failure: Failure | undefined): void;
  /** `id` is free again. Called before the handlers hear of it, so that they can use it again. */
  protected abstract release(id: number): void;
  /** There is no socket under this id; a dialer may be connecting one. */
  protected abstract terminateUnopened(id: number): void;

  send(id: number, bytes: Uint8Array, offset: number, length: number): number {
    const state = this.states[id]!;
    if ((state & (isOpen | isBlocked | isFinished | isAsked)) !== isOpen || length === 0) return 0;
    const written = this.sockets[id]!.write(bytes, offset, length);
    if (written === length) {
      this.activity[id] = this.tick;
      return written;
    }
    // Bun keeps nothing of a short write; -1 says that the socket is closing, and close follows.
    if (written < 0) return 0;
    if (this.states[id]! & isOpen) this.states[id]! |= isBlocked;
    if (written > 0) this.activity[id] = this.tick;
    return written;
  }

  pause(id: number): void {
    const state = this.states[id]!;
    if ((state & (isOpen | isPaused | isAsked)) !== isOpen) return;
    this.states[id] = state | isPaused;
    this.sockets[id]!.pause();
  }

  resume(id: number): void {
    const state = this.states[id]!;
    if ((state & isPaused) === 0) return;
    this.states[id] = state & ~isPaused;
    this.sockets[id]!.resume();
  }

  finish(id: number): void {
    const state = this.states[id]!;
    if ((state & (isOpen | isFinished | isAsked)) !== isOpen) return;
    this.states[id] = state | isFinished;
    const socket = this.sockets[id]!;
    socket.shutdown();
    // With both sides finished nothing is left to happen.
    if (state & isEnded && this.sockets[id] === socket) this.#linger(id, socket);
  }

  close(id: number): void {
    const state = this.states[id]!;
    const socket = this.sockets[id];
    if (socket === undefined || (state & isOpen) === 0) return this.terminate(id);
    if (state & isAsked) return;
    this.#closeInOrder(id, socket);
  }

  terminate(id: number): void {
    const socket = this.sockets[id];
    if (socket === undefined) return this.terminateUnopened(id);
    this.states[id]! |= isAsked;
    socket.terminate();
    if (this.sockets[id] === socket) this.closed(socket, undefined);
  }

  /** FIN after what was accepted; the end is the peer's FIN, or the sweep's patience. */
  #closeInOrder(id: number, socket: StreamSocket): void {
    const state = this.states[id]!;
    if (state & isPaused) this.resume(id);
    this.states[id]! |= isAsked;
    if ((state & isFinished) === 0) socket.shutdown();
    if (this.sockets[id] === socket) this.#linger(id, socket);
  }

  #linger(id: number, socket: StreamSocket): void {
    this.states[id]! |= isAsked;
    this.activity[id] = this.tick;
    this.startSweep();
    if (this.states[id]! & isEnded) socket.end();
  }

  /** The sweep runs while there is an idle timeout or something else to wait for. */
  protected startSweep(): void {
    if (this.#sweepTimer !== undefined) return;
    this.#sweepTimer = setInterval(() => this.#sweep(), this.#tickMs);
    this.#sweepTimer.unref();
  }

  protected stopSweep(): void {
    clearInterval(this.#sweepTimer);
    this.#sweepTimer = undefined;
  }

  /** One pass over all connections, a few microseconds per thousand. */
  #sweep(): void {
    const tick = ++this.tick;
    const lingerTicks = Math.ceil(lingerMs / this.#tickMs);
    let waiting = this.#idleTicks > 0;
    for (let id = 0; id < this.sockets.length; id++) {
      const socket = this.sockets[id];
      if (socket === undefined) continue;
      const state = this.states[id]!;
      const quietTicks = tick - this.activity[id]!;
      if (state & isAsked) {
        waiting = true;
        if (quietTicks > lingerTicks) this.terminate(id);
      } else if ((state & isOpen) === 0) {
        if (this.sweepUnopened(id, quietTicks * this.#tickMs)) waiting = true;
      } else if (this.#idleTicks > 0 && quietTicks > this.#idleTicks) {
        this.#reasons.set(id, this.#idleFailure);
        this.#closeInOrder(id, socket);
      }
    }
    if (!waiting) this.stopSweep();
  }

  /**
   * A socket that is not open yet, and for how long.
   *
   * @returns whether the sweep has to come back for such sockets.
   */
  protected sweepUnopened(_id: number, _waitedMs: number): boolean {
    return false;
  }

  /** Notes why a connection will close, for the close event that follows. */
  protected expectClose(id: number, failure: Failure): void {
    if ((this.states[id]! & isAsked) === 0) this.#reasons.set(id, failure);
  }

  protected received(socket: StreamSocket, bytes: Uint8Array): void {
    const id = socket.data;
    // After close(): read on, so that the peer's FIN can come, but for nobody.
    if (id < 0 || (this.states[id]! & (isOpen | isAsked)) !== isOpen) return;
    this.activity[id] = this.tick;
    this.handlers.data(id, bytes, false);
  }

  /** Bun says so on other occasions too: after a handshake, after `resume`, after an end. */
  protected writable(socket: StreamSocket): void {
    const id = socket.data;
    if (id < 0) return;
    const state = this.states[id]!;
    if ((state & (isBlocked | isFinished | isAsked)) !== isBlocked) return;
    this.states[id] = state & ~isBlocked;
    this.activity[id] = this.tick;
    this.handlers.drain(id);
  }

  protected ended(socket: StreamSocket): void {
    const id = socket.data;
    if (id < 0) return;
    const state = this.states[id]!;
    this.states[id] = state | isEnded;
    if ((state & isOpen) === 0) return;
    if (state & isAsked) socket.end();
    else if (state & isFinished) this.#linger(id, socket);
    else this.handlers.end(id);
  }

  protected closed(socket: StreamSocket, error: Error | undefined): void {
    const id = socket.data;
    if (id < 0) return;
    const state = this.states[id]!;
    const failure = this.#failureOf(id, state, error);
    socket.data = -1;
    this.sockets[id] = undefined;
    this.states[id] = 0;
    if (this.#reasons.size > 0) this.#reasons.delete(id);
    this.release(id);
    if (state & isOpen) this.handlers.close(id, failure);
    else this.closedUnopened(id, failure);
  }

  #failureOf(id: number, state: number, error: Error | undefined): Failure | undefined {
    const reason = this.#reasons.size > 0 ? this.#reasons.get(id) : undefined;
    if (reason !== undefined) return reason;
    if (state & isAsked) return undefined;
    const isBroken = error !== undefined && error !== null;
    if (!isBroken && state & isFinished) return undefined;
    // Bytes that cross an orderly close are answered by RST; the close came first.
    if (!isBroken || state & isEnded) return this.failures.named("closed", "closed-by-peer");
    return this.failures.of(error, "reset");
  }

  /** An established TLS session broke, or a handler threw: the latter must not go unseen. */
  protected erred(socket: StreamSocket, error: Error): void {
    const id = socket.data;
    const failure = this.failures.of(error, "protocol");
    if (failure.kind === "tls" || failure.kind === "reset") {
      if (id >= 0) this.expectClose(id, failure);
      return;
    }
    queueMicrotask(() => {
      throw error;
    });
  }
}
