import type { NativeSession } from "./quic_native.ts";

/** Largest payload of a datagram: what lsquic fits into a packet of 1,200 bytes. */
export const maxDatagramBytes = 1150;

/** Datagrams that may wait for the congestion window. */
const maxWaiting = 1024;
/** More than ever wait: above its limit the runtime drops the oldest without a word. */
const nativeLimit = 65535;

/** Sends datagrams (RFC 9221) of one session, as many as may wait at a time. */
export class DatagramSender {
  readonly #session: NativeSession;
  #accepted = 0;
  #sent = 0;

  constructor(session: NativeSession) {
    session.maxPendingDatagrams = nativeLimit;
    this.#session = session;
  }

  /** Largest datagram that the peer takes. */
  get limitBytes(): number {
    return this.#session.maxDatagramSize;
  }

  get hasRoom(): boolean {
    if (this.#accepted - this.#sent < maxWaiting) return true;
    // Asked only here, because each answer is a BigInt.
    this.#sent = Number(this.#session.stats.datagramsSent);
    return this.#accepted - this.#sent < maxWaiting;
  }

  /**
   * Sends `bytes[offset, offset + length)` as datagrams of `messageBytes` each, which must not be
   * above `limitBytes`. The runtime copies, and makes a promise for each.
   *
   * @returns the bytes accepted; fewer than `length` when too many datagrams wait.
   */
  send(bytes: Uint8Array, offset: number, length: number, messageBytes: number): number {
    let accepted = 0;
    while (accepted < length && this.hasRoom) {
      const start = offset + accepted;
      const end = Math.min(start + messageBytes, offset + length);
      // A rejection says that the session is closing, which is told elsewhere.
      this.#session.sendDatagram(bytes.subarray(start, end)).catch(ignore);
      this.#accepted++;
      accepted = end - offset;
    }
    return accepted;
  }
}

function ignore(): void {}
