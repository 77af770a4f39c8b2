import { Uint8ArrayList } from "./bytes.ts";
import { MalformedStreamError } from "./stream_reader.ts";

/** A length of as many bytes goes up to 256 MiB. */
const mostLengthBytes = 4;

/** Cuts a stream of gossipsub into RPCs: a length as an unsigned varint, and the RPC. */
export class RpcFrames {
  /** The beginning of an RPC whose rest has not come, and what it has with its rest, if known. */
  private rest: Uint8ArrayList | undefined;
  private wholeBytes = 0;

  /** @param mostBytes of an RPC. */
  constructor(private readonly mostBytes: number) {}

  /** Whether the stream may end here: between two RPCs. */
  get isComplete(): boolean {
    return this.rest === undefined;
  }

  /**
   * The RPCs that are whole with this piece; views of it where they are, which nobody else writes to.
   *
   * @throws {MalformedStreamError} a length beyond the bound.
   */
  push(piece: Uint8Array): readonly Uint8Array[] {
    let bytes = piece;
    if (this.rest !== undefined) {
      this.rest.append(piece);
      if (this.rest.byteLength < this.wholeBytes) return [];
      bytes = this.rest.subarray();
      this.rest = undefined;
    }
    const frames: Uint8Array[] = [];
    let start = 0;
    while (start < bytes.byteLength) {
      let at = start;
      let length = 0;
      let byte = 0x80;
      while (byte >= 0x80 && at < bytes.byteLength) {
        if (at - start === mostLengthBytes) throw this.tooLong();
        byte = bytes[at]!;
        length += (byte & 0x7f) * 2 ** (7 * (at - start));
        at++;
      }
      const isKnown = byte < 0x80;
      if (isKnown && length > this.mostBytes) throw this.tooLong();
      if (!isKnown || at + length > bytes.byteLength) {
        this.wholeBytes = isKnown ? at - start + length : 0;
        this.rest = new Uint8ArrayList(bytes.subarray(start));
        break;
      }
      frames.push(bytes.subarray(at, at + length));
      start = at + length;
    }
    return frames;
  }

  private tooLong(): MalformedStreamError {
    return new MalformedStreamError(
      `an RPC of gossipsub announces more than ${this.mostBytes} bytes`,
    );
  }
}
