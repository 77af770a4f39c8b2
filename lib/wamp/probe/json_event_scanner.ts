import { uint32At } from "./binary_event_scanner.ts";
import { eventCode, type EventScanner, isForwardFor, mostScannedDepth } from "./event_scanner.ts";

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openList = 0x5b;
const closeList = 0x5d;
const openMap = 0x7b;
const closeMap = 0x7d;
const letterN = 0x6e;

/** The value of each character of base64 (RFC 4648, section 4). */
const sextets = new Uint8Array(256);
for (
  const [value, letter] of [
    ..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
  ].entries()
) sextets[letter.charCodeAt(0)] = value;

/** Bytes in JSON begin with the character 0 (WAMP specification, "Binary support in JSON"). */
const binaryPrefix = new TextEncoder().encode("\\u0000");
/** 12 bytes are 16 characters of base64. */
const headCharacters = 16;

/**
 * Reads events in JSON (RFC 8259). Names with escapes are left to the decoder.
 */
export class JsonEventScanner implements EventScanner {
  isForwarded = false;
  nameAt = 0;
  nameEnd = 0;
  loop = 0;
  counter = 0;
  payloadBytes = 0;
  timeHigh = 0;
  timeLow = 0;
  tag = 0;
  #at = 0;
  readonly #head = new Uint8Array(12);

  scan(bytes: Uint8Array): boolean {
    this.#at = 0;
    if (!this.#take(bytes, openList) || this.#unsigned(bytes) !== eventCode) return false;
    if (!this.#take(bytes, comma) || this.#unsigned(bytes) < 0) return false;
    if (!this.#take(bytes, comma) || this.#unsigned(bytes) < 0) return false;
    if (!this.#take(bytes, comma) || !this.#details(bytes)) return false;
    if (!this.#take(bytes, comma) || !this.#take(bytes, openList)) return false;
    if (!this.#text(bytes)) return false;
    this.nameEnd = this.#at - 1;
    this.nameAt = this.#textAt;
    if (!this.#take(bytes, comma) || !this.#skip(bytes, 0) || !this.#take(bytes, comma)) {
      return false;
    }
    this.loop = this.#unsigned(bytes);
    if (!this.#take(bytes, comma)) return false;
    this.counter = this.#unsigned(bytes);
    if (this.loop < 0 || this.counter < 0 || !this.#take(bytes, comma)) return false;
    return this.#payload(bytes) && this.#take(bytes, closeList);
  }

  #textAt = 0;

  /** Passes over white space; returns whether the character behind it is this one, and over that. */
  #take(bytes: Uint8Array, character: number): boolean {
    this.#space(bytes);
    return bytes[this.#at++] === character;
  }

  #space(bytes: Uint8Array): void {
    for (let next = bytes[this.#at]!; next === 0x20 || (next >= 9 && next <= 13);) {
      next = bytes[++this.#at]!;
    }
  }

  /** A number without sign, fraction and exponent; -1 for anything else. */
  #unsigned(bytes: Uint8Array): number {
    this.#space(bytes);
    let value = 0;
    const from = this.#at;
    for (let digit = bytes[from]! - 0x30; digit >= 0 && digit <= 9;) {
      value = value * 10 + digit;
      digit = bytes[++this.#at]! - 0x30;
    }
    const next = bytes[this.#at];
    const goesOn = next === 0x2e || next === 0x65 || next === 0x45;
    return this.#at === from || goesOn ? -1 : value;
  }

  /** Passes over a string; returns whether it is one without escapes. */
  #text(bytes: Uint8Array): boolean {
    if (!this.#take(bytes, quote)) return false;
    this.#textAt = this.#at;
    for (; this.#at < bytes.length; this.#at++) {
      if (bytes[this.#at] === quote) {
        this.#at++;
        return true;
      }
      if (bytes[this.#at] === backslash) return false;
    }
    return false;
  }

  #details(bytes: Uint8Array): boolean {
    this.isForwarded = false;
    if (!this.#take(bytes, openMap)) return false;
    this.#space(bytes);
    if (bytes[this.#at] === closeMap) {
      this.#at++;
      return true;
    }
    while (true) {
      if (!this.#text(bytes)) return false;
      const isForward = isForwardFor(bytes, this.#textAt, this.#at - 1);
      if (!this.#take(bytes, colon)) return false;
      this.#space(bytes);
      if (isForward && bytes[this.#at] !== letterN) this.isForwarded = true;
      if (!this.#skip(bytes, 0)) return false;
      this.#space(bytes);
      const next = bytes[this.#at++];
      if (next === closeMap) return true;
      if (next !== comma) return false;
    }
  }

  /** Passes over a value; whether it is well formed in every detail does not matter here. */
  #skip(bytes: Uint8Array, depth: number): boolean {
    this.#space(bytes);
    let open = depth;
    for (; this.#at < bytes.length; this.#at++) {
      const next = bytes[this.#at]!;
      if (next === quote) {
        if (!this.#skipText(bytes)) return false;
        this.#at--;
      } else if (next === openList || next === openMap) {
        if (++open > mostScannedDepth) return false;
      } else if (next === closeList || next === closeMap) {
        if (open === 0) return true;
        open--;
      } else if (next === comma && open === 0) {
        return true;
      }
    }
    return false;
  }

  #skipText(bytes: Uint8Array): boolean {
    for (this.#at++; this.#at < bytes.length; this.#at++) {
      const next = bytes[this.#at];
      if (next === backslash) this.#at++;
      else if (next === quote) {
        this.#at++;
        return true;
      }
    }
    return false;
  }

  #payload(bytes: Uint8Array): boolean {
    if (!this.#take(bytes, quote)) return false;
    for (const character of binaryPrefix) if (bytes[this.#at++] !== character) return false;
    const from = this.#at;
    const end = bytes.indexOf(quote, from);
    if (end < 0) return false;
    let padding = 0;
    while (padding < 2 && bytes[end - 1 - padding] === 0x3d) padding++;
    this.payloadBytes = Math.floor((end - from - padding) * 3 / 4);
    this.#at = end + 1;
    const hasHead = end - from >= headCharacters && this.payloadBytes >= 12;
    this.#decodeHead(bytes, from, hasHead);
    return true;
  }

  #decodeHead(bytes: Uint8Array, from: number, isThere: boolean): void {
    const head = this.#head;
    for (let group = 0; group < 4; group++) {
      const at = from + group * 4;
      const bits = isThere
        ? (sextets[bytes[at]!]! << 18) | (sextets[bytes[at + 1]!]! << 12) |
          (sextets[bytes[at + 2]!]! << 6) | sextets[bytes[at + 3]!]!
        : 0;
      head[group * 3] = bits >>> 16;
      head[group * 3 + 1] = (bits >>> 8) & 0xff;
      head[group * 3 + 2] = bits & 0xff;
    }
    this.timeHigh = uint32At(head, 0);
    this.timeLow = uint32At(head, 4);
    this.tag = uint32At(head, 8);
  }
}
