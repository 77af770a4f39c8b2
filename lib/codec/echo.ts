import { UsageError } from "../errors.ts";
import { type Codec, type Framing, headerCorrupt, headerOk, type HeaderResult } from "./codec.ts";

export interface EchoCodecSettings {
  /** Size of each message, header included. */
  readonly sizeBytes: number;
  readonly framing: Framing;
}

/** Size, sequence and check: three 32-bit numbers, most significant byte first. */
export const echoHeaderBytes = 12;

/** 1 GiB: what a WebSocket message or a Uint8Array can still carry without surprises. */
export const echoMaximumBytes = 2 ** 30;

/**
 * Payload bytes repeat after this many. A prime, so that two blocks swapped by a peer (4 KiB pages,
 * 1,460-byte segments, 16 KiB TLS records) never hold the same bytes.
 */
const patternBytes = 65_521;

/** Parts up to this length are compared in a loop: below it the call of `compare` costs more. */
const loopBytes = 24;

/**
 * Messages of a fixed size that name themselves: a header of 12 bytes and a payload of
 * pseudo-random bytes, the same in every message. The layout is the same on streams, where the size
 * frames the messages, and on message transports, where it must equal the length of the message.
 *
 * An answer is the message itself, unchanged.
 *
 * @throws {UsageError} a size below the header's or above 1 GiB.
 */
export function createEchoCodec(settings: EchoCodecSettings): Codec {
  return new EchoCodec(settings);
}

class EchoCodec implements Codec {
  readonly name = "echo";
  readonly messageBytes: number;
  readonly headerBytes = echoHeaderBytes;
  readonly sequenceBits = 32;
  answerBytes = 0;
  answerSequence = 0;

  readonly #isStream: boolean;
  readonly #pattern: Buffer;
  readonly #sizeMix: number;

  constructor({ sizeBytes, framing }: EchoCodecSettings) {
    if (!Number.isInteger(sizeBytes) || sizeBytes < echoHeaderBytes) {
      throw new UsageError(
        `message size ${sizeBytes} is too small; the minimum of the echo codec is ` +
          `${echoHeaderBytes} bytes, which its header takes`,
      );
    }
    if (sizeBytes > echoMaximumBytes) {
      throw new UsageError(
        `message size ${sizeBytes} is too large; the maximum of the echo codec is ` +
          `${echoMaximumBytes} bytes (1 GiB)`,
      );
    }
    this.messageBytes = sizeBytes;
    this.#isStream = framing === "stream";
    this.#sizeMix = mix32(sizeBytes ^ 0x686f6c64);
    this.#pattern = makePattern(Math.min(sizeBytes - echoHeaderBytes, patternBytes));
  }

  prepare(batch: Uint8Array): void {
    for (let at = 0; at < batch.length; at += this.messageBytes) {
      const end = Math.min(at + this.messageBytes, batch.length);
      const header = [this.messageBytes, 0, this.#check(0)];
      for (let i = 0; i < echoHeaderBytes && at + i < end; i++) {
        batch[at + i] = header[i >> 2]! >>> (24 - 8 * (i & 3));
      }
      for (let to = at + echoHeaderBytes; to < end; to += this.#pattern.length) {
        this.#pattern.copy(batch, to, 0, Math.min(this.#pattern.length, end - to));
      }
    }
  }

  stamp(batch: Uint8Array, offset: number, sequence: number): void {
    const check = this.#check(sequence);
    batch[offset + 4] = sequence >>> 24;
    batch[offset + 5] = sequence >>> 16;
    batch[offset + 6] = sequence >>> 8;
    batch[offset + 7] = sequence;
    batch[offset + 8] = check >>> 24;
    batch[offset + 9] = check >>> 16;
    batch[offset + 10] = check >>> 8;
    batch[offset + 11] = check;
  }

  readHeader(bytes: Uint8Array, offset: number, available: number): HeaderResult {
    if (this.#isStream ? available < echoHeaderBytes : available !== this.messageBytes) {
      return headerCorrupt;
    }
    if (readUint32(bytes, offset) !== this.messageBytes) return headerCorrupt;
    const sequence = readUint32(bytes, offset + 4);
    if (readUint32(bytes, offset + 8) !== this.#check(sequence)) return headerCorrupt;
    this.answerBytes = this.messageBytes;
    this.answerSequence = sequence;
    return headerOk;
  }

  matches(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
    sequence: number,
  ): boolean {
    if (position + length > this.messageBytes || offset + length > bytes.length) return false;
    const end = offset + length;
    let at = offset;
    if (position === 0 && length >= echoHeaderBytes) {
      if (
        readUint32(bytes, at) !== this.messageBytes ||
        readUint32(bytes, at + 4) !== sequence >>> 0 ||
        readUint32(bytes, at + 8) !== this.#check(sequence)
      ) {
        return false;
      }
      at += echoHeaderBytes;
    } else if (position < echoHeaderBytes) {
      const check = this.#check(sequence);
      for (let i = position; i < echoHeaderBytes && at < end; i++, at++) {
        const word = i < 4 ? this.messageBytes : i < 8 ? sequence : check;
        if (bytes[at] !== ((word >>> (24 - 8 * (i & 3))) & 0xff)) return false;
      }
    }
    if (at === end) return true;
    const pattern = this.#pattern;
    let from = (position + (at - offset) - echoHeaderBytes) % patternBytes;
    while (at < end) {
      const run = Math.min(end - at, pattern.length - from);
      if (run <= loopBytes) {
        for (let i = 0; i < run; i++) if (bytes[at + i] !== pattern[from + i]) return false;
      } else if (pattern.compare(bytes, at, at + run, from, from + run) !== 0) {
        return false;
      }
      at += run;
      from = 0;
    }
    return true;
  }

  answerStatuses(): Record<string, number> {
    return {};
  }

  /** A bijection of the sequence for a given size: any damage to one of the three words shows. */
  #check(sequence: number): number {
    return mix32(sequence ^ this.#sizeMix);
  }
}

/** The finalizer of MurmurHash3 (Austin Appleby, public domain): each input bit reaches all bits. */
function mix32(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

function makePattern(length: number): Buffer {
  const pattern = Buffer.alloc(length);
  for (let i = 0; i < length; i++) pattern[i] = mix32(i + 1) >>> 24;
  return pattern;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>>
    0;
}
