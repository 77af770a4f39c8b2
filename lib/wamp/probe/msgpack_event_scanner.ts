import { BinaryEventScanner, notThis, uint16At, uint32At } from "./binary_event_scanner.ts";
import { mostScannedDepth } from "./event_scanner.ts";

const nil = 0xc0;

/**
 * Reads events in MessagePack. Source: https://github.com/msgpack/msgpack/blob/master/spec.md.
 * Bytes beyond the end read as undefined, which no case below accepts.
 */
export class MsgpackEventScanner extends BinaryEventScanner {
  protected list(bytes: Uint8Array): number {
    const first = bytes[this.at++]!;
    if (first >= 0x90 && first <= 0x9f) return first - 0x90;
    if (first === 0xdc) return this.#length(bytes, 2);
    if (first === 0xdd) return this.#length(bytes, 4);
    return notThis;
  }

  protected map(bytes: Uint8Array): number {
    const first = bytes[this.at++]!;
    if (first >= 0x80 && first <= 0x8f) return first - 0x80;
    if (first === 0xde) return this.#length(bytes, 2);
    if (first === 0xdf) return this.#length(bytes, 4);
    return notThis;
  }

  protected unsigned(bytes: Uint8Array): number {
    const first = bytes[this.at++]!;
    if (first <= 0x7f) return first;
    switch (first) {
      case 0xcc:
        return this.#length(bytes, 1);
      case 0xcd:
        return this.#length(bytes, 2);
      case 0xce:
        return this.#length(bytes, 4);
      case 0xcf: {
        const high = this.#length(bytes, 4);
        return high * 2 ** 32 + this.#length(bytes, 4);
      }
      default:
        return notThis;
    }
  }

  protected text(bytes: Uint8Array): number {
    const first = bytes[this.at++]!;
    if (first >= 0xa0 && first <= 0xbf) return first - 0xa0;
    if (first === 0xd9) return this.#length(bytes, 1);
    if (first === 0xda) return this.#length(bytes, 2);
    if (first === 0xdb) return this.#length(bytes, 4);
    return notThis;
  }

  protected binary(bytes: Uint8Array): number {
    const first = bytes[this.at++]!;
    if (first === 0xc4) return this.#length(bytes, 1);
    if (first === 0xc5) return this.#length(bytes, 2);
    if (first === 0xc6) return this.#length(bytes, 4);
    return notThis;
  }

  protected isNull(bytes: Uint8Array): boolean {
    return bytes[this.at] === nil;
  }

  protected skip(bytes: Uint8Array, depth: number): boolean {
    if (depth > mostScannedDepth || this.at >= bytes.length) return false;
    const first = bytes[this.at++]!;
    if (first <= 0x7f || first >= 0xe0) return true;
    if (first <= 0x8f) return this.#skipMany(bytes, (first - 0x80) * 2, depth);
    if (first <= 0x9f) return this.#skipMany(bytes, first - 0x90, depth);
    if (first <= 0xbf) return this.#pass(first - 0xa0);
    switch (first) {
      case 0xc0:
      case 0xc2:
      case 0xc3:
        return true;
      case 0xc4:
      case 0xd9:
        return this.#pass(this.#length(bytes, 1));
      case 0xc5:
      case 0xda:
        return this.#pass(this.#length(bytes, 2));
      case 0xc6:
      case 0xdb:
        return this.#pass(this.#length(bytes, 4));
      case 0xcc:
      case 0xd0:
        return this.#pass(1);
      case 0xcd:
      case 0xd1:
        return this.#pass(2);
      case 0xca:
      case 0xce:
      case 0xd2:
        return this.#pass(4);
      case 0xcb:
      case 0xcf:
      case 0xd3:
        return this.#pass(8);
      case 0xdc:
        return this.#skipMany(bytes, this.#length(bytes, 2), depth);
      case 0xdd:
        return this.#skipMany(bytes, this.#length(bytes, 4), depth);
      case 0xde:
        return this.#skipMany(bytes, this.#length(bytes, 2) * 2, depth);
      case 0xdf:
        return this.#skipMany(bytes, this.#length(bytes, 4) * 2, depth);
      default:
        // Extension types.
        return false;
    }
  }

  #skipMany(bytes: Uint8Array, count: number, depth: number): boolean {
    for (let left = count; left > 0; left--) if (!this.skip(bytes, depth + 1)) return false;
    return true;
  }

  #pass(count: number): boolean {
    this.at += count;
    return true;
  }

  #length(bytes: Uint8Array, count: 1 | 2 | 4): number {
    const { at } = this;
    this.at += count;
    return count === 1 ? bytes[at]! : count === 2 ? uint16At(bytes, at) : uint32At(bytes, at);
  }
}
