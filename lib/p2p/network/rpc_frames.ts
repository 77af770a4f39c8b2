import { Uint8ArrayList } from "./bytes.ts";
import { MalformedStreamError } from "./stream_reader.ts";

/** A length of as many bytes goes up to 256 MiB. */
const mostLengthBytes = 4;

/** Cuts a stream of gossipsub into RPCs: a length as an unsigned varint, and the RPC. */
export class RpcFrames {
  /** The beginning of an RPC whose rest has not come, and what it has with its rest, if known. */
  private rest: Uint8ArrayList | undefined;
  private wholeBytes = 0;

  /**
   * @param mostBytes of an RPC.
   * @param receive is given every RPC; a view of the piece where it lies in one, which nobody else
   * writes to.
   */
  constructor(
    private readonly mostBytes: number,
    private readonly receive: (rpc: Uint8Array) => void,
  ) {}

  /** Whether the stream may end here: between two RPCs. */
  get isComplete(): boolean {
    return this.rest === undefined;
  }

  /** @throws {MalformedStreamError} a length beyond the bound, after all RPCs before it. */
  push(piece: Uint8Array): void {
    let bytes = piece;
    if (this.rest !== undefined) {
      this.rest.append(piece);
      if (this.rest.byteLength < this.wholeBytes) return;
      bytes = this.rest.subarray();
      this.rest = undefined;
    }
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
        return;
      }
      this.receive(bytes.subarray(at, at + length));
      start = at + length;
    }
  }

  private tooLong(): MalformedStreamError {
    return new MalformedStreamError(
      `an RPC's length is over ${this.mostBytes} bytes, or has over ${mostLengthBytes} bytes itself`,
    );
  }
}
