/** So many messages in a row without an answer show that nobody answers any more. */
export const silentMessages = 3;

/**
 * Tells connections whose peer is gone where only silence tells it (UDP, QUIC): three messages in a row
 * have reached their timeout, and nothing was answered in between.
 *
 * A connection costs 17 bytes.
 */
export class SilenceWatch {
  private readonly missed: Uint8Array;
  private readonly sinceNs: Float64Array;
  private readonly lastAnswered: Float64Array;

  /** @param answeredOn the highest sequence number that was answered on a connection. */
  constructor(connections: number, private readonly answeredOn: (id: number) => number) {
    this.missed = new Uint8Array(connections);
    this.sinceNs = new Float64Array(connections);
    this.lastAnswered = new Float64Array(connections).fill(-1);
  }

  /**
   * A message of a connection has timed out. One that is older than what was answered means nothing.
   *
   * @returns whether the silence is long enough.
   */
  timedOut(id: number, sequence: number, intendedNs: number): boolean {
    const answered = this.answeredOn(id);
    if (sequence < answered) return false;
    if (answered !== this.lastAnswered[id] || this.missed[id] === 0) {
      this.lastAnswered[id] = answered;
      this.missed[id] = 0;
      this.sinceNs[id] = intendedNs;
    }
    return ++this.missed[id]! >= silentMessages;
  }

  /** Messages that have timed out since the last answer. */
  missedOn(id: number): number {
    return this.answeredOn(id) === this.lastAnswered[id] ? this.missed[id]! : 0;
  }

  /** The intended time of the first of them. */
  sinceNsOn(id: number): number {
    return this.sinceNs[id]!;
  }

  /** Takes the messages that had timed out when the first answer of a connection came. */
  takeMissed(id: number): number {
    const missed = this.missed[id]!;
    this.missed[id] = 0;
    return missed;
  }

  /** The connection is gone. */
  forget(id: number): void {
    this.missed[id] = 0;
    this.lastAnswered[id] = -1;
  }
}
