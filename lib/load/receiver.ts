import { type Codec, headerOk } from "../codec/codec.ts";
import { nowNs } from "../stats/clock.ts";
import type { AnomalyCounts } from "../stats/snapshot.ts";
import type { LatencyRecorder } from "./latency_recorder.ts";
import {
  type MessageLedger,
  settledAnswer,
  settledDuplicate,
  settledLate,
  settledUnknown,
} from "./ledger.ts";
import type { MessageTrace } from "./message_trace.ts";

export interface ReceiverSettings {
  readonly connections: number;
  readonly framing: "stream" | "message";
  /** Compare whole answers, not only headers. */
  readonly verify: boolean;
}

/** What became of the bytes that came in on a connection. */
export interface ReceiverEvents {
  /** An answer ended a message of this connection (answered, or lost as corrupted). */
  ended(connection: number): void;
  /**
   * What came (`bytes` from `offset` on) is no answer: the framing is lost and the connection is of
   * no more use.
   */
  unreadable(connection: number, bytes: Uint8Array, offset: number): void;
}

/**
 * Cuts what comes in into answers and matches them with the ledger. An answer may arrive in any
 * number of pieces: only its header is ever kept, its body is counted down and, with `verify`,
 * compared where it lies, so that a connection costs the same for every message size: 26 bytes and
 * a header (12 bytes for echo, 14 for DNS).
 */
export class Receiver {
  bytesReceived = 0;
  readonly anomalies: AnomalyCounts = {
    duplicated: 0,
    late: 0,
    reordered: 0,
    corrupted: 0,
    unknown: 0,
  };

  private readonly headerBytes: number;
  /** Headers that have not arrived whole: their bytes, and how many of them there are. */
  private readonly headers: Uint8Array;
  private readonly headerFill: Uint8Array;
  /** Of the answer that is arriving: its size, what is missing of it, whose answer it is. */
  private readonly answerBytes: Float64Array;
  private readonly missingBytes: Float64Array;
  private readonly answerSequence: Uint32Array;
  private readonly isSpoilt: Uint8Array;
  /** Highest sequence number answered so far. */
  private readonly lastAnswered: Float64Array;

  constructor(
    private readonly settings: ReceiverSettings,
    private readonly codec: Codec,
    private readonly ledger: MessageLedger,
    private readonly recorder: LatencyRecorder,
    private readonly events: ReceiverEvents,
    private readonly trace: MessageTrace | undefined,
  ) {
    const { connections } = settings;
    const streams = settings.framing === "stream" ? connections : 0;
    this.headerBytes = codec.headerBytes;
    this.headers = new Uint8Array(streams * codec.headerBytes);
    this.headerFill = new Uint8Array(streams);
    this.answerBytes = new Float64Array(streams);
    this.missingBytes = new Float64Array(streams);
    this.answerSequence = new Uint32Array(streams);
    this.isSpoilt = new Uint8Array(streams);
    this.lastAnswered = new Float64Array(connections).fill(-1);
  }

  data(connection: number, bytes: Uint8Array): void {
    this.bytesReceived += bytes.length;
    if (this.settings.framing === "message") this.takeMessage(connection, bytes);
    else this.takeStream(connection, bytes);
  }

  /** Whether any answer has come on the connection. */
  hasAnswered(connection: number): boolean {
    return this.lastAnswered[connection]! >= 0;
  }

  /** The highest sequence number that was answered on a connection; -1 when none was. */
  lastAnsweredOn(connection: number): number {
    return this.lastAnswered[connection]!;
  }

  /** The connection is gone; a next one under this id starts afresh. */
  forget(connection: number): void {
    this.lastAnswered[connection] = -1;
    if (this.settings.framing === "message") return;
    this.headerFill[connection] = 0;
    this.missingBytes[connection] = 0;
    this.isSpoilt[connection] = 0;
  }

  private takeMessage(connection: number, bytes: Uint8Array): void {
    const atNs = nowNs();
    const { codec } = this;
    const isReadable = bytes.length >= this.headerBytes &&
      codec.readHeader(bytes, 0, bytes.length) === headerOk;
    if (!isReadable) {
      this.anomalies.corrupted++;
      return;
    }
    const isIntact = !this.settings.verify ||
      codec.matches(bytes, 0, bytes.length, 0, codec.answerSequence);
    this.complete(connection, codec.answerSequence, isIntact, atNs);
  }

  private takeStream(connection: number, bytes: Uint8Array): void {
    const atNs = nowNs();
    const { codec, headerBytes } = this;
    const { verify } = this.settings;
    let offset = this.takeStarted(connection, bytes, atNs);
    while (offset >= 0 && bytes.length - offset >= headerBytes) {
      const available = bytes.length - offset;
      if (codec.readHeader(bytes, offset, available) !== headerOk) {
        return this.giveUp(connection, bytes, offset);
      }
      const { answerBytes, answerSequence } = codec;
      if (available < answerBytes) {
        this.start(connection, answerBytes, answerSequence);
        this.takeBody(connection, bytes, offset, available);
        return;
      }
      const isIntact = !verify || codec.matches(bytes, offset, answerBytes, 0, answerSequence);
      this.complete(connection, answerSequence, isIntact, atNs);
      offset += answerBytes;
    }
    if (offset >= 0 && offset < bytes.length) this.keepHeader(connection, bytes, offset);
  }

  /** Goes on with an answer of which a part is there. Returns where the next one starts, or -1. */
  private takeStarted(connection: number, bytes: Uint8Array, atNs: number): number {
    let offset = 0;
    if (this.headerFill[connection]! > 0) {
      offset = this.keepHeader(connection, bytes, 0);
      if (this.headerFill[connection]! < this.headerBytes) return -1;
      this.headerFill[connection] = 0;
      const at = connection * this.headerBytes;
      if (this.codec.readHeader(this.headers, at, this.headerBytes) !== headerOk) {
        this.giveUp(connection, this.headers.subarray(at, at + this.headerBytes), 0);
        return -1;
      }
      this.start(connection, this.codec.answerBytes, this.codec.answerSequence);
      this.takeBody(connection, this.headers, at, this.headerBytes);
      if (this.missingBytes[connection] === 0) this.completeStarted(connection, atNs);
    }
    const missing = this.missingBytes[connection]!;
    if (missing === 0) return offset;
    const length = Math.min(missing, bytes.length - offset);
    this.takeBody(connection, bytes, offset, length);
    if (length < missing) return -1;
    this.completeStarted(connection, atNs);
    return offset + length;
  }

  /** Copies bytes of a header; returns the offset behind them. */
  private keepHeader(connection: number, bytes: Uint8Array, offset: number): number {
    let fill = this.headerFill[connection]!;
    const at = connection * this.headerBytes;
    while (fill < this.headerBytes && offset < bytes.length) {
      this.headers[at + fill++] = bytes[offset++]!;
    }
    this.headerFill[connection] = fill;
    return offset;
  }

  private start(connection: number, answerBytes: number, answerSequence: number): void {
    this.answerBytes[connection] = answerBytes;
    this.missingBytes[connection] = answerBytes;
    this.answerSequence[connection] = answerSequence;
    this.isSpoilt[connection] = 0;
  }

  private takeBody(connection: number, bytes: Uint8Array, offset: number, length: number): void {
    const missing = this.missingBytes[connection]!;
    if (this.settings.verify && this.isSpoilt[connection] === 0) {
      const position = this.answerBytes[connection]! - missing;
      const sequence = this.answerSequence[connection]!;
      if (!this.codec.matches(bytes, offset, length, position, sequence)) {
        this.isSpoilt[connection] = 1;
      }
    }
    this.missingBytes[connection] = missing - length;
  }

  private completeStarted(connection: number, atNs: number): void {
    const isIntact = this.isSpoilt[connection] === 0;
    this.complete(connection, this.answerSequence[connection]!, isIntact, atNs);
  }

  private complete(
    connection: number,
    answerSequence: number,
    isIntact: boolean,
    atNs: number,
  ): void {
    const { ledger, anomalies } = this;
    if (!isIntact) {
      anomalies.corrupted++;
      if (ledger.spoil(connection, answerSequence)) this.events.ended(connection);
      return;
    }
    const settlement = ledger.settle(connection, answerSequence);
    if (settlement === settledAnswer) {
      this.recordAnswer(connection, ledger.settled, atNs);
      this.events.ended(connection);
    } else if (settlement === settledDuplicate) anomalies.duplicated++;
    else if (settlement === settledLate) anomalies.late++;
    else if (settlement === settledUnknown) anomalies.unknown++;
  }

  private recordAnswer(connection: number, sequence: number, atNs: number): void {
    const { ledger, recorder } = this;
    const slot = ledger.slotOf(sequence);
    const serviceNs = atNs - ledger.sentNs[slot]!;
    if (ledger.isSteady(sequence)) {
      recorder.response.record(atNs - ledger.intendedNs[slot]!);
      recorder.service.record(serviceNs);
    }
    if (sequence < this.lastAnswered[connection]!) this.anomalies.reordered++;
    else this.lastAnswered[connection] = sequence;
    this.trace?.answered(connection, sequence, atNs, serviceNs);
  }

  private giveUp(connection: number, bytes: Uint8Array, offset: number): void {
    this.anomalies.corrupted++;
    this.events.unreadable(connection, bytes, offset);
  }
}
