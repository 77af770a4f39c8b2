import { BinaryEventScanner, notThis, uint16At, uint32At } from "./binary_event_scanner.ts";
import { mostScannedDepth } from "./event_scanner.ts";

const majors = { unsigned: 0, negative: 1, bytes: 2, text: 3, list: 4, map: 5, simple: 7 } as const;

const nullByte = 0xf6;
const undefinedByte = 0xf7;

/**
 * Reads events in CBOR (RFC 8949). Tags and lengths that are not known beforehand are left to the
 * decoder. Bytes beyond the end read as undefined, which no case below accepts.
 */
export class CborEventScanner extends BinaryEventScanner {
  protected list(bytes: Uint8Array): number {
    return this.#argument(bytes, majors.list);
  }

  protected map(bytes: Uint8Array): number {
    return this.#argument(bytes, majors.map);
  }

  protected unsigned(bytes: Uint8Array): number {
    return this.#argument(bytes, majors.unsigned);
  }

  protected text(bytes: Uint8Array): number {
    return this.#argument(bytes, majors.text);
  }

  protected binary(bytes: Uint8Array): number {
    return this.#argument(bytes, majors.bytes);
  }

  protected isNull(bytes: Uint8Array): boolean {
    return bytes[this.at] === nullByte || bytes[this.at] === undefinedByte;
  }

  protected skip(bytes: Uint8Array, depth: number): boolean {
    if (depth > mostScannedDepth || this.at >= bytes.length) return false;
    const major = bytes[this.at]! >>> 5;
    if (major === 6) return false;
    const argument = this.#argument(bytes, major);
    if (argument === notThis) return false;
    switch (major) {
      case majors.bytes:
      case majors.text:
        this.at += argument;
        return true;
      case majors.list:
        return this.#skipMany(bytes, argument, depth);
      case majors.map:
        return this.#skipMany(bytes, argument * 2, depth);
      default:
        // Of numbers and simple values the argument is all there is.
        return true;
    }
  }

  #skipMany(bytes: Uint8Array, count: number, depth: number): boolean {
    for (let left = count; left > 0; left--) if (!this.skip(bytes, depth + 1)) return false;
    return true;
  }

  /** The argument of a value of this major type (RFC 8949, section 3). */
  #argument(bytes: Uint8Array, major: number): number {
    const first = bytes[this.at]!;
    if (first >>> 5 !== major) return notThis;
    const { at } = this;
    const info = first & 0x1f;
    if (info < 24) {
      this.at += 1;
      return info;
    }
    switch (info) {
      case 24:
        this.at += 2;
        return bytes[at + 1]!;
      case 25:
        this.at += 3;
        return uint16At(bytes, at + 1);
      case 26:
        this.at += 5;
        return uint32At(bytes, at + 1);
      case 27:
        this.at += 9;
        return uint32At(bytes, at + 1) * 2 ** 32 + uint32At(bytes, at + 5);
      default:
        return notThis;
    }
  }
}
