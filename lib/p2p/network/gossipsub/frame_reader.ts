import type { Bytes } from "../bytes.ts";

/** Cuts a stream of length-prefixed frames; each frame is handed on in one piece. */
export class FrameReader {
  private length = 0;
  private lengthBytes = 0;
  /** A frame that did not come in one piece, filled so far. */
  private partial: Uint8Array | undefined;
  private filled = 0;

  constructor(
    private readonly mostBytes: number,
    private readonly onFrame: (frame: Uint8Array) => void,
  ) {}

  /** @throws {RangeError} a length is no varint, or above the bound. */
  read(bytes: Bytes): void {
    if (bytes instanceof Uint8Array) {
      this.readPiece(bytes);
      return;
    }
    for (const piece of bytes) this.readPiece(piece);
  }

  private readPiece(piece: Uint8Array): void {
    let at = 0;
    const end = piece.byteLength;
    while (at < end) {
      if (this.partial !== undefined) {
        at = this.fill(this.partial, piece, at);
        continue;
      }
      const byte = piece[at++] ?? 0;
      this.length += (byte & 0x7f) * 2 ** (7 * this.lengthBytes++);
      if (this.length > this.mostBytes || this.lengthBytes > 5) {
        throw new RangeError(`a frame is longer than ${this.mostBytes} bytes`);
      }
      if (byte >= 0x80) continue;
      const { length } = this;
      this.length = this.lengthBytes = 0;
      if (length <= end - at) {
        at += length;
        this.onFrame(piece.subarray(at - length, at));
      } else {
        this.partial = new Uint8Array(length);
        this.filled = 0;
      }
    }
  }

  private fill(partial: Uint8Array, piece: Uint8Array, start: number): number {
    const take = Math.min(partial.byteLength - this.filled, piece.byteLength - start);
    partial.set(piece.subarray(start, start + take), this.filled);
    this.filled += take;
    if (this.filled === partial.byteLength) {
      this.partial = undefined;
      this.onFrame(partial);
    }
    return start + take;
  }
}
