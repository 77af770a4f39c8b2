import { isUtf8 } from "node:buffer";
import { maxDepth } from "./portable.ts";

/**
 * A position in serialized bytes that never leaves them. One object serves all messages of a
 * serializer: reading allocates nothing.
 */
export class ByteCursor {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  /**
   * Whether what is passed over is to be decoded. Then extensions that stand for anything but their own
   * content are refused: a decoder that follows references makes of some hundred bytes a value that
   * nobody can walk through, and one that keeps definitions mixes one peer's with another's.
   */
  isForDecoding = false;
  /** Values that are still to come, for each level of nesting. */
  readonly left = new Float64Array(maxDepth + 1);

  begin(bytes: Uint8Array, isForDecoding: boolean): void {
    this.isForDecoding = isForDecoding;
    this.bytes = bytes instanceof Buffer
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  /** @throws {RangeError} the bytes end before that. */
  require(length: number): void {
    if (this.at + length > this.bytes.length) throw new RangeError("it ends too early");
  }

  uint8(): number {
    this.require(1);
    return this.bytes[this.at++]!;
  }

  uint16(): number {
    this.require(2);
    const value = this.bytes[this.at]! * 256 + this.bytes[this.at + 1]!;
    this.at += 2;
    return value;
  }

  uint32(): number {
    this.require(4);
    const value = this.bytes.readUInt32BE(this.at);
    this.at += 4;
    return value;
  }

  /** Beyond 2^53 it is rounded. */
  uint64(): number {
    const high = this.uint32();
    return high * 2 ** 32 + this.uint32();
  }

  skip(length: number): void {
    this.require(length);
    this.at += length;
  }

  /** Passes over a string, which has to be UTF-8. */
  skipText(length: number): void {
    this.require(length);
    const { bytes, at } = this;
    const end = at + length;
    let next = at;
    while (next < end && bytes[next]! < 0x80) next++;
    if (next < end && !isUtf8(bytes.subarray(next, end))) throw new TypeError("text is not UTF-8");
    this.at = end;
  }

  text(length: number): string {
    const from = this.at;
    this.skipText(length);
    return this.bytes.toString("utf8", from, this.at);
  }
}
