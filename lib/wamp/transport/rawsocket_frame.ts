// Specification, section "RawSocket Transport": a byte of type, and the length in three.

export const frameTypes = { message: 0, ping: 1, pong: 2 } as const;
export const frameHeaderBytes = 4;

/** 2^24 bytes have a bit of their own, beside the type. */
const longestBit = 0x08;
const longest = 2 ** 24;

/** A frame of its own, which nobody changes. */
export function frame(type: number, content: Uint8Array): Uint8Array {
  const { length } = content;
  const bytes = new Uint8Array(frameHeaderBytes + length);
  bytes[0] = length === longest ? type | longestBit : type;
  bytes[1] = length >>> 16;
  bytes[2] = length >>> 8;
  bytes[3] = length;
  bytes.set(content, frameHeaderBytes);
  return bytes;
}

/** What came is no frame, or a longer one than agreed. */
export class FrameError extends Error {}

/** Divides a stream into frames. Holds no bytes but those of a frame that is not whole. */
export class FrameReader {
  readonly #maxBytes: number;
  #rest: Uint8Array = new Uint8Array(0);
  /** Parts of a frame that is not whole, behind `#rest`, and their length. */
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  /** How many bytes have to be there before a frame can be whole. */
  #needed = frameHeaderBytes;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Calls `take` for each frame that is whole now. Contents are parts of `chunk`, or of what came
   * before; they stay valid when `chunk` does.
   *
   * @throws {FrameError} reserved bits or types, a frame that is too long.
   */
  push(chunk: Uint8Array, take: (type: number, content: Uint8Array) => void): void {
    this.#parts.push(chunk);
    this.#partBytes += chunk.length;
    if (this.#rest.length + this.#partBytes < this.#needed) return;
    const bytes = this.#rest.length === 0 && this.#parts.length === 1
      ? chunk
      : Buffer.concat([this.#rest, ...this.#parts]);
    this.#parts = [];
    this.#partBytes = 0;
    let at = 0;
    this.#needed = frameHeaderBytes;
    while (at + frameHeaderBytes <= bytes.length) {
      const length = this.#lengthAt(bytes, at);
      const end = at + frameHeaderBytes + length;
      if (end > bytes.length) {
        this.#needed = frameHeaderBytes + length;
        break;
      }
      const content = bytes.subarray(at + frameHeaderBytes, end);
      at = end;
      take(bytes[end - length - frameHeaderBytes]! & 7, content);
    }
    this.#rest = bytes.subarray(at);
  }

  #lengthAt(bytes: Uint8Array, at: number): number {
    const head = bytes[at]!;
    const low = bytes[at + 1]! * 65_536 + bytes[at + 2]! * 256 + bytes[at + 3]!;
    if ((head & 0xf0) !== 0) throw new FrameError(`a frame has reserved bits: ${head}`);
    if ((head & 7) > frameTypes.pong) throw new FrameError(`${head & 7} is no type of a frame`);
    const isLongest = (head & longestBit) !== 0;
    if (isLongest && low !== 0) throw new FrameError("a frame is longer than 2^24 bytes");
    const length = isLongest ? longest : low;
    if (length > this.#maxBytes) {
      throw new FrameError(`a frame of ${length} bytes is longer than ${this.#maxBytes}`);
    }
    return length;
  }
}
