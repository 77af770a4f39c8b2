import { type Bytes, Uint8ArrayList } from "./bytes.ts";

const lengthBytes = 2;

/**
 * Cuts what comes over a connection into frames of noise: a length of two bytes, big-endian, and the
 * frame. The library's decoder makes an exception of every end of the bytes there are, which is once
 * for each piece that comes.
 */
export class NoiseFrames {
  /** The beginning of a frame whose rest has not come. */
  private rest: Uint8ArrayList | undefined;

  /** @param rest what has come before. */
  constructor(rest?: Uint8ArrayList) {
    if (rest !== undefined && rest.byteLength > 0) this.rest = rest;
  }

  /** The frames that are whole with this piece; views of its bytes where they are. */
  decode(piece: Bytes): readonly Uint8Array[] {
    const { rest } = this;
    if (rest !== undefined) {
      rest.append(piece);
      if (rest.byteLength < lengthBytes) return [];
      if (rest.byteLength < lengthBytes + rest.getUint16(0)) return [];
      this.rest = undefined;
    }
    const bytes = (rest ?? piece).subarray();
    const frames: Uint8Array[] = [];
    let start = 0;
    while (start + lengthBytes <= bytes.byteLength) {
      const end = start + lengthBytes + (bytes[start]! << 8 | bytes[start + 1]!);
      if (end > bytes.byteLength) break;
      if (end > start + lengthBytes) frames.push(bytes.subarray(start + lengthBytes, end));
      start = end;
    }
    if (start < bytes.byteLength) this.rest = new Uint8ArrayList(bytes.subarray(start));
    return frames;
  }
}
