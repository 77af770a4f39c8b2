import { SocketAddress } from "node:net";
import type { Failure } from "../stats/failure.ts";
import { NativeFailures } from "./native_failure.ts";
import type { QuicConnection } from "./quic_connection.ts";
import { abortClose } from "./quic_failure.ts";
import { PortProbe } from "./quic_probe.ts";
import { hostPort } from "./resolve.ts";

/** A port whose open connections bring nothing for this long is asked whether it still is open. */
const silentMs = 500;

/** So long after it was found closed, and after so many packets lost in a row, a connection is dead. */
const deadAfterMs = 500;
const deadAfterLosses = 3n;

/** What was known of an open connection when its port was first found closed. */
interface Suspicion {
  readonly sinceMs: number;
  readonly heard: bigint;
  readonly lost: bigint;
}

/**
 * One address and port of a target, and the connections to it. The runtime does not say that a port
 * is closed, so a probe asks:
 *
 * - until a connection has opened there. A refusal ends all that are not open yet;
 * - while the open ones bring nothing, as after a server was killed. Where a probe is refused, the
 *   connections need not be dead: it may have gone to another host behind the same address. Those
 *   are ended of which lsquic lost several packets since then, and heard none; also when somebody
 *   listens there again, who will not know them.
 */
export class RemotePort {
  readonly address: SocketAddress;
  readonly isIPv6: boolean;
  readonly failures: NativeFailures;
  readonly #probe: PortProbe;
  readonly #connections = new Set<QuicConnection>();
  /** A handshake was completed here, and nothing has spoken against it since. */
  #isProven = false;
  #askedAtMs = 0;
  readonly #suspects = new Map<QuicConnection, Suspicion>();
  readonly #closed: Failure;

  constructor(address: string, port: number) {
    this.isIPv6 = address.includes(":");
    this.address = new SocketAddress({ address, port, family: this.isIPv6 ? "ipv6" : "ipv4" });
    this.failures = new NativeFailures(`connect ${hostPort(address, port)}`);
    this.#closed = this.failures.named("ECONNREFUSED", "refused");
    this.#probe = new PortProbe(address, port, () => this.#refused());
  }

  /** A connection is about to be opened here. */
  enter(connection: QuicConnection): void {
    this.#connections.add(connection);
    if (!this.#isProven) this.#probe.ask();
  }

  /** A connection was opened, or could have been. */
  prove(): void {
    this.#isProven = true;
    this.#probe.stop();
  }

  leave(connection: QuicConnection): void {
    this.#connections.delete(connection);
    this.#suspects.delete(connection);
    // Whatever it ended of: whoever connects next wants to be told at once that nobody is there.
    this.#isProven = false;
  }

  /**
   * Asks whether the port still is open where its connections are silent.
   *
   * @param tick counts up every `tickMs`, the unit of `QuicConnection.receivedAt`.
   */
  look(tick: number, tickMs: number, nowMs: number): void {
    if (this.#suspects.size > 0) this.#endDead(nowMs);
    let hasOpen = false;
    for (const connection of this.#connections) {
      if (!connection.wasOpen) continue;
      hasOpen = true;
      if ((tick - connection.receivedAt) * tickMs < silentMs) {
        if (this.#isProven) this.#probe.stop();
        return;
      }
    }
    if (!hasOpen || nowMs - this.#askedAtMs < silentMs) return;
    this.#askedAtMs = nowMs;
    this.#probe.ask();
  }

  #refused(): void {
    const nowMs = performance.now();
    for (const connection of [...this.#connections]) {
      if (!connection.wasOpen) connection.end(this.#closed, abortClose);
      else if (!this.#suspects.has(connection)) this.#suspect(connection, nowMs);
    }
  }

  #suspect(connection: QuicConnection, nowMs: number): void {
    const stats = connection.session?.stats;
    if (stats === undefined) return;
    const { pktRecv: heard, pktLost: lost } = stats;
    this.#suspects.set(connection, { sinceMs: nowMs, heard, lost });
  }

  #endDead(nowMs: number): void {
    for (const [connection, { sinceMs, heard, lost }] of this.#suspects) {
      const stats = connection.session?.stats;
      if (stats === undefined || stats.pktRecv !== heard) this.#suspects.delete(connection);
      else if (nowMs - sinceMs >= deadAfterMs && stats.pktLost - lost >= deadAfterLosses) {
        connection.fail(this.#closed, abortClose);
      }
    }
  }

  close(): void {
    this.#probe.stop();
  }
}
