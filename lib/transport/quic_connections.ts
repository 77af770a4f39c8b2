import type { Failure, FailureKind } from "../stats/failure.ts";
import type { NativeFailures } from "./native_failure.ts";
import type { QuicConnection, QuicOwner } from "./quic_connection.ts";
import { idleClose, quicFailure } from "./quic_failure.ts";
import type { ConnectionHandlers, Connections } from "./transport.ts";

/** How often connections are looked after that wait for something without an event. */
const watchMs = 20;
/** How often all of them are, at the least. */
const longestSweepMs = 250;
/** Times in an idle timeout that the packets of each connection are counted. */
const countsPerTimeout = 6;

export interface QuicLimits {
  /** The idle timeout of QUIC itself (RFC 9000, section 10.1) that is in force, as far as known. */
  readonly quietMs: number;
  /** Connections on which nothing moves for this long are closed as `idle`; 0: never. */
  readonly idleTimeoutMs: number;
  readonly maxUnreadBytes: number;
  /** Streams on which nothing moved for this long are made to move; Infinity: they are let be. */
  readonly stillMs: number;
}

/**
 * What dialer and listener share: connections by id, and what has to be done for them by the clock.
 *
 * A session that ends in silence (the idle timeout) looks to the caller of the runtime like one that
 * the peer closed in order. They are told apart by counting the packets of each session several
 * times in a timeout: nothing came for more than half of it, or something did. A peer that sends no
 * PINGs, is silent for that long, and then closes is taken for one that vanished.
 */
export abstract class QuicConnections implements Connections, QuicOwner {
  readonly handlers: ConnectionHandlers;
  readonly maxUnreadBytes: number;
  tick = 0;
  protected readonly connections: (QuicConnection | undefined)[] = [];
  readonly #watched = new Set<QuicConnection>();
  #watchTimer: ReturnType<typeof setInterval> | undefined;
  readonly #sweepTimer: ReturnType<typeof setInterval>;
  /** What one tick is, in milliseconds. */
  protected readonly sweepMs: number;
  readonly #idleTicks: number;
  readonly #countTicks: number;
  readonly #silentMs: number;
  readonly #stillTicks: number;
  readonly #idleText: string;

  constructor(handlers: ConnectionHandlers, limits: QuicLimits) {
    const { idleTimeoutMs, quietMs } = limits;
    this.handlers = handlers;
    this.maxUnreadBytes = limits.maxUnreadBytes;
    const shortestMs = Math.min(quietMs, idleTimeoutMs > 0 ? idleTimeoutMs : Infinity);
    this.sweepMs = Math.max(5, Math.min(longestSweepMs, shortestMs / 8));
    this.#idleTicks = idleTimeoutMs > 0 ? Math.ceil(idleTimeoutMs / this.sweepMs) : Infinity;
    this.#countTicks = Math.max(1, Math.floor(quietMs / countsPerTimeout / this.sweepMs));
    this.#silentMs = quietMs / 2;
    this.#stillTicks = limits.stillMs / this.sweepMs;
    this.#idleText = `nothing moved for ${idleTimeoutMs} ms`;
    this.#sweepTimer = setInterval(() => this.#sweep(), this.sweepMs);
    this.#sweepTimer.unref();
  }

  abstract ended(connection: QuicConnection, failure: Failure | undefined): void;
  /** The failures said of this connection's address. */
  protected abstract failuresOf(connection: QuicConnection): NativeFailures;

  /** Called once a tick. */
  protected swept(_nowMs: number): void {}

  send(
    id: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    messageBytes: number,
  ): number {
    const connection = this.connections[id];
    if (connection === undefined || length === 0) return 0;
    return connection.send(bytes, offset, length, messageBytes);
  }
  pause(id: number): void {
    this.connections[id]?.pause();
  }
  resume(id: number): void {
    this.connections[id]?.resume();
  }
  finish(id: number): void {
    this.connections[id]?.finish();
  }
  close(id: number): void {
    this.connections[id]?.close();
  }
  terminate(id: number): void {
    this.connections[id]?.terminate();
  }

  failureOf(connection: QuicConnection, error: unknown): Failure {
    const failures = this.failuresOf(connection);
    if (error !== undefined) return quicFailure(failures, error);
    return performance.now() - connection.heardAtMs > this.#silentMs
      ? failures.named("nothing came until the idle timeout of QUIC", "idle")
      : failures.named("closed", "closed-by-peer");
  }

  named(connection: QuicConnection, text: string, kind: FailureKind): Failure {
    return this.failuresOf(connection).named(text, kind);
  }

  watch(connection: QuicConnection): void {
    this.#watched.add(connection);
    this.#watchTimer ??= setInterval(() => this.#check(), watchMs);
  }

  #check(): void {
    const nowMs = performance.now();
    for (const connection of this.#watched) {
      if (!connection.check(nowMs)) this.#watched.delete(connection);
    }
    if (this.#watched.size > 0) return;
    clearInterval(this.#watchTimer);
    this.#watchTimer = undefined;
  }

  /** Cheap: every connection is looked at when there is an idle timeout, else six times a timeout. */
  #sweep(): void {
    const tick = ++this.tick;
    const nowMs = performance.now();
    this.swept(nowMs);
    const isCounting = tick % this.#countTicks === 0;
    if (!isCounting && this.#idleTicks === Infinity) return;
    // Not for-of over the ids: what is called may end connections and start others.
    for (let id = 0; id < this.connections.length; id++) {
      const connection = this.connections[id];
      if (connection === undefined || !connection.wasOpen) continue;
      if (isCounting) {
        this.#count(connection, nowMs);
        if (tick - connection.streamActiveAt > this.#stillTicks) connection.moveStreams();
      }
      if (tick - connection.activeAt > this.#idleTicks) {
        connection.fail(this.named(connection, this.#idleText, "idle"), idleClose);
      }
    }
  }

  #count(connection: QuicConnection, nowMs: number): void {
    const heard = connection.session?.stats.pktRecv ?? 0n;
    if (heard === connection.packetsHeard) return;
    connection.packetsHeard = heard;
    connection.heardAtMs = nowMs;
  }

  protected stopTimers(): void {
    clearInterval(this.#sweepTimer);
    clearInterval(this.#watchTimer);
    this.#watched.clear();
  }
}

/** Lets an error of a handler be seen: callbacks of the runtime would swallow it. */
export function surface(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
