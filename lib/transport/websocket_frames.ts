/**
 * WebSocket frames as a client writes them (RFC 6455 5.2). Extensions are never negotiated, so the
 * reserved bits stay zero.
 */

/** RFC 6455 5.2: what a frame is. */
export const opcodes = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

/** RFC 6455 5.5: the payload of a control frame is at most this long, and it is never fragmented. */
export const maxControlPayloadBytes = 125;

/** Size on the wire of a masked frame with this payload: 6, 8 or 14 bytes more. */
export function maskedFrameBytes(payloadBytes: number): number {
  return payloadBytes + (payloadBytes < 126 ? 6 : payloadBytes < 65536 ? 8 : 14);
}

/** Up to here a loop over bytes beats a copy followed by a pass over words (measured). */
const byteLoopBytes = 96;

/**
 * Writes masked frames one behind the other into one buffer that is used again, so that all that is
 * due on a connection leaves in one write and nothing is allocated per message.
 */
export class FrameEncoder {
  /** The frames; valid up to `length`, until the next `clear`. */
  bytes: Uint8Array<ArrayBuffer>;
  length = 0;
  #words: Uint32Array<ArrayBuffer>;
  #random: number;

  /** @param capacityBytes what the buffer holds at first; it grows when a frame needs more. */
  constructor(capacityBytes: number) {
    this.bytes = new Uint8Array((capacityBytes + 3) & ~3);
    this.#words = new Uint32Array(this.bytes.buffer);
    const seed = new Uint32Array(1);
    crypto.getRandomValues(seed);
    this.#random = seed[0]! | 1;
  }

  clear(): void {
    this.length = 0;
  }

  /** Adds an unfragmented frame with `source[offset, offset + length)` as its payload. */
  append(opcode: number, source: Uint8Array, offset: number, length: number): void {
    const start = this.length;
    const end = start + maskedFrameBytes(length);
    if (end > this.bytes.length) this.#grow(end);
    const bytes = this.bytes;
    const key = this.#nextMaskingKey();
    bytes[start] = 0x80 | opcode;
    let at = start + 2;
    if (length < 126) {
      bytes[start + 1] = 0x80 | length;
    } else if (length < 65536) {
      bytes[start + 1] = 0x80 | 126;
      bytes[at++] = length >>> 8;
      bytes[at++] = length & 0xff;
    } else {
      bytes[start + 1] = 0x80 | 127;
      const high = Math.floor(length / 0x100000000);
      for (let shift = 24; shift >= 0; shift -= 8) bytes[at++] = (high >>> shift) & 0xff;
      for (let shift = 24; shift >= 0; shift -= 8) bytes[at++] = (length >>> shift) & 0xff;
    }
    // The key as it stands in memory, so that it can be applied to bytes and to words alike.
    bytes[at++] = key & 0xff;
    bytes[at++] = (key >>> 8) & 0xff;
    bytes[at++] = (key >>> 16) & 0xff;
    bytes[at++] = key >>> 24;
    if (length <= byteLoopBytes) {
      this.#maskBytes(at, source, offset, length, key);
    } else {
      bytes.set(source.subarray(offset, offset + length), at);
      this.#maskWords(at, end, key);
    }
    this.length = end;
  }

  /** Copies and masks byte by byte. RFC 6455 5.3: byte i is XORed with byte i mod 4 of the key. */
  #maskBytes(at: number, source: Uint8Array, offset: number, length: number, key: number): void {
    const bytes = this.bytes;
    const key0 = key & 0xff;
    const key1 = (key >>> 8) & 0xff;
    const key2 = (key >>> 16) & 0xff;
    const key3 = key >>> 24;
    let i = 0;
    for (; i + 4 <= length; i += 4) {
      bytes[at + i] = source[offset + i]! ^ key0;
      bytes[at + i + 1] = source[offset + i + 1]! ^ key1;
      bytes[at + i + 2] = source[offset + i + 2]! ^ key2;
      bytes[at + i + 3] = source[offset + i + 3]! ^ key3;
    }
    for (; i < length; i++) {
      bytes[at + i] = source[offset + i]! ^ ((key >>> (8 * (i & 3))) & 0xff);
    }
  }

  /** Masks `[start, end)` in place, four bytes at a time between the aligned addresses. */
  #maskWords(start: number, end: number, key: number): void {
    const bytes = this.bytes;
    const words = this.#words;
    let at = start;
    for (; (at & 3) !== 0; at++) bytes[at] = bytes[at]! ^ (key >>> (8 * (at - start)));
    // The words begin `at - start` bytes into the payload, so the key begins that many bytes later.
    const shift = 8 * ((at - start) & 3);
    const rotated = shift === 0 ? key : (key >>> shift) | (key << (32 - shift));
    const lastWord = end >>> 2;
    for (let word = at >>> 2; word < lastWord; word++) words[word] = words[word]! ^ rotated;
    for (at = lastWord << 2; at < end; at++) {
      bytes[at] = bytes[at]! ^ (key >>> (8 * ((at - start) & 3)));
    }
  }

  /**
   * A masking key from xorshift32 (Marsaglia 2003), seeded by the system. RFC 6455 10.3 wants keys
   * that the author of the payload cannot foresee, because a web page might write bytes that look
   * like HTTP to a proxy. Here the payload comes from the program itself: a key must only differ
   * from frame to frame, and asking the system for each would cost more than the frame.
   */
  #nextMaskingKey(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x >>> 0;
  }

  #grow(neededBytes: number): void {
    const grown = new Uint8Array((Math.max(neededBytes, this.bytes.length * 2) + 3) & ~3);
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.#words = new Uint32Array(grown.buffer);
  }
}
