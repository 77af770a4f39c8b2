import type { Codec } from "../codec/codec.ts";
import { nowNs } from "../stats/clock.ts";
import type { LatencyRecorder } from "./latency_recorder.ts";
import type { MessageLedger } from "./ledger.ts";
import type { MessageTrace } from "./message_trace.ts";

/** The part of a transport's dialer that sending needs. */
export interface SendingSide {
  send(
    id: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    messageBytes: number,
  ): number;
}

const batchBytes = 256 * 1024;

/**
 * Sends what waits in the ledger: all that is due on a connection leaves in one write. A connection
 * that takes no more bytes keeps its messages in the ledger, with their intended times, until it
 * drains.
 *
 * A connection costs 18 bytes.
 */
export class Sender {
  /** Payload bytes that the transport accepted. */
  bytesSent = 0;
  /** Steady messages that found their connection full. */
  heldBackSends = 0;

  private readonly batch: Uint8Array;
  private readonly batchMessages: number;
  private readonly messageBytes: number;
  /** Connections with messages that wait for `flush`. */
  private readonly touched: Int32Array;
  private touchedCount = 0;
  private readonly isTouched: Uint8Array;
  private readonly isBlocked: Uint8Array;
  /** Of the first message of a connection: bytes that are out already, and whose they are. */
  private readonly partialBytes: Uint32Array;
  private readonly partialSequence: Float64Array;
  /** The message that waits behind those of the batch, or -1. */
  private behindBatch = -1;

  constructor(
    connections: number,
    private readonly codec: Codec,
    private readonly ledger: MessageLedger,
    private readonly recorder: LatencyRecorder,
    private readonly side: SendingSide,
    private readonly trace: MessageTrace | undefined,
  ) {
    this.messageBytes = codec.messageBytes;
    this.batchMessages = Math.max(1, Math.floor(batchBytes / this.messageBytes));
    this.batch = new Uint8Array(this.batchMessages * this.messageBytes);
    codec.prepare(this.batch);
    this.touched = new Int32Array(connections);
    this.isTouched = new Uint8Array(connections);
    this.isBlocked = new Uint8Array(connections);
    this.partialBytes = new Uint32Array(connections);
    this.partialSequence = new Float64Array(connections);
  }

  /**
   * Enters a message that is due; `flush` sends it.
   *
   * @param atNs the present time: how late a message is that cannot be tried at once.
   */
  queue(
    connection: number,
    intendedNs: number,
    gapNs: number,
    isSteady: boolean,
    atNs: number,
  ): void {
    const { ledger } = this;
    const isRefused = ledger.isFullOn(connection);
    if (isRefused) ledger.refuse(isSteady);
    else ledger.issue(connection, intendedNs, gapNs, isSteady);
    if (isRefused || this.isBlocked[connection] === 1) {
      if (!isSteady) return;
      this.heldBackSends++;
      this.recorder.lateness.record(atNs - intendedNs);
    } else if (this.isTouched[connection] === 0) {
      this.isTouched[connection] = 1;
      this.touched[this.touchedCount++] = connection;
    }
  }

  /** Sends what was queued since the last call, connection by connection. */
  flush(): void {
    for (let i = 0; i < this.touchedCount; i++) {
      const connection = this.touched[i]!;
      this.isTouched[connection] = 0;
      this.sendWaiting(connection, true);
    }
    this.touchedCount = 0;
  }

  /** The connection takes bytes again. */
  drain(connection: number): void {
    if (this.isBlocked[connection] === 0) return;
    this.isBlocked[connection] = 0;
    this.sendWaiting(connection, false);
  }

  /** The connection is gone; the ledger has ended its messages. */
  forget(connection: number): void {
    this.isBlocked[connection] = 0;
    this.partialBytes[connection] = 0;
  }

  private sendWaiting(connection: number, isFirstAttempt: boolean): void {
    const { ledger } = this;
    while (this.isBlocked[connection] === 0) {
      const partial = this.partialBytes[connection]!;
      const count = this.fillBatch(connection, partial);
      if (count === 0) return;
      const length = count * this.messageBytes - partial;
      const sentNs = nowNs();
      const behind = this.behindBatch;
      if (isFirstAttempt) this.recordLateness(ledger.firstWaitingOn(connection), behind, sentNs);
      const accepted = this.side.send(connection, this.batch, partial, length, this.messageBytes);
      this.bytesSent += accepted;
      if (this.isForgotten(connection)) return;
      if (accepted < length) this.isBlocked[connection] = 1;
      this.settleAccepted(connection, partial, accepted, sentNs);
      if (isFirstAttempt && accepted < length) {
        this.countHeldBack(connection);
        // They have waited for this attempt too, and the next one is not the generator's choice.
        this.recordLateness(behind, -1, sentNs);
      }
    }
  }

  /** Whether the connection ended within a send: what was to be sent is there no more. */
  private isForgotten(connection: number): boolean {
    return this.ledger.firstWaitingOn(connection) < 0 && this.partialBytes[connection] === 0;
  }

  /** Lays out a partly sent message and what waits behind it; returns how many there are. */
  private fillBatch(connection: number, partial: number): number {
    const { codec, ledger, batch, messageBytes } = this;
    let count = 0;
    let sequence = ledger.firstWaitingOn(connection);
    if (partial > 0) {
      const started = this.partialSequence[connection]!;
      codec.stamp(batch, 0, started);
      count = 1;
      // It is no longer in the queue when it timed out meanwhile; its bytes must still follow.
      if (sequence === started) sequence = ledger.waitingAfter(sequence);
    }
    while (sequence >= 0 && count < this.batchMessages) {
      codec.stamp(batch, count * messageBytes, sequence);
      count++;
      sequence = ledger.waitingAfter(sequence);
    }
    this.behindBatch = sequence;
    return count;
  }

  private settleAccepted(
    connection: number,
    partial: number,
    accepted: number,
    sentNs: number,
  ): void {
    if (accepted === 0) return;
    const { ledger, messageBytes } = this;
    const reached = partial + accepted;
    const whole = Math.floor(reached / messageBytes);
    const rest = reached - whole * messageBytes;
    for (let i = 0; i < whole; i++) {
      const sequence = ledger.firstWaitingOn(connection);
      if (i === 0 && partial > 0 && sequence !== this.partialSequence[connection]) continue;
      this.markSent(connection, sequence, sentNs);
    }
    this.partialBytes[connection] = rest;
    if (rest > 0 && (whole > 0 || partial === 0)) {
      this.partialSequence[connection] = ledger.firstWaitingOn(connection);
    }
  }

  private markSent(connection: number, sequence: number, sentNs: number): void {
    const { ledger } = this;
    ledger.markSent(connection, sentNs);
    const slot = ledger.slotOf(sequence);
    if (ledger.isSteady(sequence)) {
      this.recorder.scheduleError.record(sentNs - ledger.intendedNs[slot]!);
    }
    if (this.trace !== undefined) {
      this.trace.sent(connection, sequence, ledger.gapNs[slot]!, sentNs);
    }
  }

  /** Of messages that wait on one connection, when they are tried for the first time. */
  private recordLateness(from: number, until: number, atNs: number): void {
    const { ledger } = this;
    for (let sequence = from; sequence !== until; sequence = ledger.waitingAfter(sequence)) {
      if (ledger.isSteady(sequence)) {
        this.recorder.lateness.record(atNs - ledger.intendedNs[ledger.slotOf(sequence)]!);
      }
    }
  }

  private countHeldBack(connection: number): void {
    const { ledger } = this;
    let sequence = ledger.firstWaitingOn(connection);
    while (sequence >= 0) {
      if (ledger.isSteady(sequence)) this.heldBackSends++;
      sequence = ledger.waitingAfter(sequence);
    }
  }
}
