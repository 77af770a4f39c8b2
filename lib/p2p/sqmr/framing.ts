import { MalformedStreamError } from "../network/stream_reader.ts";

/**
 * Framing of SQMR ("single query, multiple responses"), as in StarkWare's Apollo network
 * (`apollo_network/src/sqmr/messages.rs`): the query is the raw bytes up to the end of the stream;
 * each response is its length as an unsigned varint (multiformats: seven bits a byte, the lowest
 * first, the shortest form only) and that many bytes.
 */

/** Most bytes of a query or of a response: 1 MiB. */
export const maximumMessageBytes = 2 ** 20;

/** Bytes of the longest length prefix: 2^20 has 21 bits, of seven a byte. */
const maximumPrefixBytes = 3;

/** First allocation for a response in several pieces: no peer claims 1 MiB with two bytes. */
const firstBufferBytes = 16 * 1024;

/**
 * Bytes of the length prefix of a message.
 *
 * @throws {RangeError} more than {@linkcode maximumMessageBytes}, or no length.
 */
export function lengthPrefixBytes(messageBytes: number): number {
  if (!Number.isInteger(messageBytes) || messageBytes < 0 || messageBytes > maximumMessageBytes) {
    throw new RangeError(
      `a message of ${messageBytes} bytes; SQMR carries 0 to ${maximumMessageBytes} bytes`,
    );
  }
  return messageBytes < 2 ** 7 ? 1 : messageBytes < 2 ** 14 ? 2 : 3;
}

/**
 * Writes a length prefix at `offset` and returns where the message follows.
 *
 * @throws {RangeError} more than {@linkcode maximumMessageBytes}, or no length.
 */
export function writeLengthPrefix(bytes: Uint8Array, offset: number, messageBytes: number): number {
  let left = messageBytes;
  let next = offset;
  for (let remaining = lengthPrefixBytes(messageBytes); remaining > 1; remaining--) {
    bytes[next++] = (left & 0x7f) | 0x80;
    left >>>= 7;
  }
  bytes[next++] = left;
  return next;
}

/** Where a decoder puts each response. */
export type ResponseReceiver = (response: Uint8Array) => void;

/**
 * Cuts the responses out of a stream, whatever pieces it arrives in. A response that lies in one
 * piece is handed on as a view of it; another is put together in a buffer that grows with what has
 * arrived, not with what was announced, and is used again. Each byte is copied at most once, plus
 * what the growing costs, which is linear too.
 */
export class ResponseDecoder {
  readonly #receive: ResponseReceiver;
  /** Length that is being read, and the bits of it that are known. */
  #length = 0;
  #lengthBits = 0;
  /** Bytes of the response that are still missing; −1 while its length is being read. */
  #missing = -1;
  #buffer = new Uint8Array(0);
  #buffered = 0;

  /** @param receive is given every response; the bytes are valid during the call only. */
  constructor(receive: ResponseReceiver) {
    this.#receive = receive;
  }

  /** @throws {MalformedStreamError} a length over 1 MiB or not in its shortest form. */
  push(piece: Uint8Array): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#missing < 0) {
        at = this.#readLength(piece, at);
        if (this.#missing === 0) this.#finish(piece.subarray(at, at));
        continue;
      }
      const taken = Math.min(this.#missing, piece.length - at);
      const part = piece.subarray(at, at + taken);
      at += taken;
      this.#missing -= taken;
      if (this.#missing === 0 && this.#buffered === 0) this.#finish(part);
      else this.#keep(part);
    }
  }

  /** Whether the stream may end here: between two responses. */
  get isComplete(): boolean {
    return this.#missing < 0 && this.#lengthBits === 0;
  }

  /** Reads bytes of a length prefix and returns where it went on. */
  #readLength(piece: Uint8Array, offset: number): number {
    let at = offset;
    while (at < piece.length) {
      const byte = piece[at++] ?? 0;
      this.#length += (byte & 0x7f) * 2 ** this.#lengthBits;
      this.#lengthBits += 7;
      if (byte >= 0x80) {
        if (this.#lengthBits < 7 * maximumPrefixBytes) continue;
        throw new MalformedStreamError(
          `a response's length has over ${maximumPrefixBytes} bytes; at most 1 MiB is allowed`,
        );
      }
      if (byte === 0 && this.#lengthBits > 7) {
        throw new MalformedStreamError("a response's length is not in its shortest form");
      }
      if (this.#length > maximumMessageBytes) {
        throw new MalformedStreamError(
          `a response of ${this.#length} bytes; at most ${maximumMessageBytes} are allowed`,
        );
      }
      this.#missing = this.#length;
      this.#length = 0;
      this.#lengthBits = 0;
      return at;
    }
    return at;
  }

  #keep(part: Uint8Array): void {
    const size = this.#buffered + part.length;
    if (size > this.#buffer.length) {
      const grown = new Uint8Array(
        Math.max(firstBufferBytes, size, Math.min(2 * size, size + this.#missing)),
      );
      grown.set(this.#buffer.subarray(0, this.#buffered));
      this.#buffer = grown;
    }
    this.#buffer.set(part, this.#buffered);
    this.#buffered = size;
    if (this.#missing === 0) this.#finish(this.#buffer.subarray(0, size));
  }

  #finish(response: Uint8Array): void {
    this.#missing = -1;
    this.#buffered = 0;
    this.#receive(response);
  }
}
