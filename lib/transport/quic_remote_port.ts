import { SocketAddress } from "node:net";
import { NativeFailures } from "./native_failure.ts";
import type { QuicConnection } from "./quic_connection.ts";
import { abortClose } from "./quic_failure.ts";
import { PortProbe } from "./quic_probe.ts";
import { hostPort } from "./resolve.ts";

/** A port whose open connections bring nothing for this long is asked whether it still is open. */
const silentMs = 500;

/** What was known of an open connection when its port was first found closed. */
interface PacketCounts {
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
 *   are ended of which lsquic lost packets between two refusals, and heard none.
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
  readonly #suspects = new Map<QuicConnection, PacketCounts>();

  constructor(address: string, port: number) {
    this.isIPv6 = address.includes(":");
    this.address = new SocketAddress({ address, port, family: this.isIPv6 ? "ipv6" : "ipv4" });
    this.failures = new NativeFailures(`connect ${hostPort(address, port)}`);
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
    let hasOpen = false;
    for (const connection of this.#connections) {
      if (!connection.wasOpen) continue;
      hasOpen = true;
      if ((tick - connection.receivedAt) * tickMs < silentMs) {
        this.#suspects.clear();
        if (this.#isProven) this.#probe.stop();
        return;
      }
    }
    if (!hasOpen || nowMs - this.#askedAtMs < silentMs) return;
    this.#askedAtMs = nowMs;
    this.#probe.ask();
  }

  #refused(): void {
    const refused = this.failures.named("ECONNREFUSED", "refused");
    for (const connection of [...this.#connections]) {
      if (!connection.wasOpen) connection.end(refused, abortClose);
      else if (this.#isDead(connection)) connection.fail(refused, abortClose);
    }
  }

  #isDead(connection: QuicConnection): boolean {
    const stats = connection.session?.stats;
    if (stats === undefined) return false;
    const before = this.#suspects.get(connection);
    if (before !== undefined && stats.pktRecv === before.heard) return stats.pktLost > before.lost;
    this.#suspects.set(connection, { heard: stats.pktRecv, lost: stats.pktLost });
    return false;
  }

  close(): void {
    this.#probe.stop();
  }
}
