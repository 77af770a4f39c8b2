import { eventCode, type EventScanner, isForwardFor } from "./event_scanner.ts";

/** What it means that a value is not of the kind that was expected. */
export const notThis = -1;

/**
 * The part that MessagePack and CBOR share: both are values behind each other, with lengths before
 * them. A reader of either kind moves `at` on; `notThis` says that another kind of value is there.
 */
export abstract class BinaryEventScanner implements EventScanner {
  isForwarded = false;
  nameAt = 0;
  nameEnd = 0;
  loop = 0;
  counter = 0;
  payloadBytes = 0;
  timeHigh = 0;
  timeLow = 0;
  tag = 0;
  protected at = 0;

  /** Elements of the list that begins here. */
  protected abstract list(bytes: Uint8Array): number;
  /** Entries of the map that begins here. */
  protected abstract map(bytes: Uint8Array): number;
  /** An integer of 0 or more. */
  protected abstract unsigned(bytes: Uint8Array): number;
  /** Length of the text that begins here. */
  protected abstract text(bytes: Uint8Array): number;
  /** Length of the bytes that begin here. */
  protected abstract binary(bytes: Uint8Array): number;
  /** Passes over any value; returns whether that was possible. */
  protected abstract skip(bytes: Uint8Array, depth: number): boolean;
  protected abstract isNull(bytes: Uint8Array): boolean;

  scan(bytes: Uint8Array): boolean {
    this.at = 0;
    const elements = this.list(bytes);
    if (elements < 5 || this.unsigned(bytes) !== eventCode) return false;
    if (this.unsigned(bytes) === notThis || this.unsigned(bytes) === notThis) return false;
    if (!this.#details(bytes) || this.list(bytes) !== 5) return false;
    const nameBytes = this.text(bytes);
    if (nameBytes === notThis) return false;
    this.nameAt = this.at;
    this.nameEnd = this.at += nameBytes;
    const urlBytes = this.text(bytes);
    if (urlBytes === notThis) return false;
    this.at += urlBytes;
    this.loop = this.unsigned(bytes);
    this.counter = this.unsigned(bytes);
    const payloadBytes = this.binary(bytes);
    if (this.loop === notThis || this.counter === notThis || payloadBytes === notThis) return false;
    this.payloadBytes = payloadBytes;
    if (this.at + payloadBytes > bytes.length) return false;
    this.#head(bytes, this.at, payloadBytes);
    return true;
  }

  #details(bytes: Uint8Array): boolean {
    this.isForwarded = false;
    const entries = this.map(bytes);
    if (entries === notThis) return false;
    for (let left = entries; left > 0; left--) {
      const keyBytes = this.text(bytes);
      if (keyBytes === notThis) return false;
      const keyAt = this.at;
      this.at += keyBytes;
      if (isForwardFor(bytes, keyAt, this.at) && !this.isNull(bytes)) this.isForwarded = true;
      if (!this.skip(bytes, 0)) return false;
    }
    return true;
  }

  #head(bytes: Uint8Array, at: number, length: number): void {
    const isThere = length >= 12;
    this.timeHigh = isThere ? uint32At(bytes, at) : 0;
    this.timeLow = isThere ? uint32At(bytes, at + 4) : 0;
    this.tag = isThere ? uint32At(bytes, at + 8) : 0;
  }
}

export function uint16At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

export function uint32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>>
    0;
}
