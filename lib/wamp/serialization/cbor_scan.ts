import type { ByteCursor } from "./binary_scan.ts";
import { maxDepth } from "./portable.ts";

// Source: RFC 8949.

const unsigned = 0;
const byteString = 2;
const textString = 3;
const list = 4;
const map = 5;
const tag = 6;
const breakByte = 0xff;

/** @returns the elements of the list that begins here; -1: no list, or one without a length. */
export function cborListLength(cursor: ByteCursor): number {
  const initial = cursor.uint8();
  if (initial >> 5 !== list || (initial & 31) === 31) return -1;
  return argument(cursor, initial & 31);
}

/**
 * Reads a value of the kinds that nearly all heads consist of: an integer that is not negative, a
 * string, an empty dictionary.
 *
 * @returns undefined for any other; the cursor stays before it then.
 */
export function cborSimple(cursor: ByteCursor): unknown {
  const from = cursor.at;
  const initial = cursor.uint8();
  const info = initial & 31;
  if (info !== 31) {
    switch (initial >> 5) {
      case unsigned:
        return argument(cursor, info);
      case textString:
        return cursor.text(argument(cursor, info));
      case map:
        if (info === 0) return {};
    }
  }
  cursor.at = from;
  return undefined;
}

/** What begins with that byte. */
export function cborKind(byte: number): "list" | "dict" | "bytes" | "other" {
  switch (byte >> 5) {
    case list:
      return "list";
    case map:
      return "dict";
    case byteString:
      return "bytes";
  }
  return "other";
}

/**
 * Passes over a value with all that it contains.
 *
 * @throws {Error} it is not well-formed, or nested too deep.
 */
export function skipCbor(cursor: ByteCursor): void {
  const { left } = cursor;
  let depth = 0;
  left[0] = 1;
  while (depth >= 0) {
    if (left[depth] === 0) {
      depth--;
      continue;
    }
    // Less than 0: until a break comes. Of a map an even number of values has to come before it.
    if (left[depth]! < 0) {
      cursor.require(1);
      if (cursor.bytes[cursor.at] === breakByte) {
        if (left[depth] === -2) throw new TypeError("a key has no value");
        cursor.at++;
        depth--;
        continue;
      }
      if (left[depth] === -3) left[depth] = -2;
      else if (left[depth] === -2) left[depth] = -3;
    } else {
      left[depth]!--;
    }
    const inside = skipOne(cursor);
    if (inside === 0) continue;
    if (++depth > maxDepth) throw new RangeError(`values are nested more than ${maxDepth} deep`);
    left[depth] = inside;
  }
}

/** @returns how many values the one passed over contains; -1, -3: a list, a map until a break. */
function skipOne(cursor: ByteCursor): number {
  const initial = cursor.uint8();
  const major = initial >> 5;
  const info = initial & 31;
  if (info === 31) return skipIndefinite(cursor, major);
  switch (major) {
    case byteString:
      cursor.skip(argument(cursor, info));
      return 0;
    case textString:
      cursor.skipText(argument(cursor, info));
      return 0;
    case list:
      return argument(cursor, info);
    case map:
      return argument(cursor, info) * 2;
    case tag:
      return tagged(cursor, argument(cursor, info));
    default:
      // Integers; simple values and floats, whose bytes have the same lengths.
      argument(cursor, info);
      return 0;
  }
}

/** Longest integer that is decoded: its digits cost the square of its length. */
const longestBignumBytes = 128;
/** Dates, fractions, encodings, texts of a kind, UUID, sets, addresses, CBOR itself. */
const plainTags: ReadonlySet<number> = new Set([
  ...[0, 1, 4, 5, 21, 22, 23, 24, 30, 32, 33, 34, 35, 36, 37],
  ...[100, 258, 260, 261, 1004, 55799],
]);

/** Passes over what a tag needs; returns how many values follow it. */
function tagged(cursor: ByteCursor, number: number): number {
  if (!cursor.isForDecoding || plainTags.has(number)) return 1;
  const isBignum = number === 2 || number === 3;
  const isTypedArray = number >= 64 && number <= 87;
  if (!isBignum && !isTypedArray) throw new TypeError(`the tag ${number} is not known here`);
  const initial = cursor.uint8();
  if (initial >> 5 !== byteString || (initial & 31) === 31) {
    throw new TypeError(`the tag ${number} has no bytes`);
  }
  const length = argument(cursor, initial & 31);
  if (isBignum && length > longestBignumBytes) {
    throw new RangeError(`an integer of ${length} bytes is longer than ${longestBignumBytes}`);
  }
  cursor.skip(length);
  return 0;
}

function skipIndefinite(cursor: ByteCursor, major: number): number {
  if (major === list) return -1;
  if (major === map) return -3;
  if (major !== byteString && major !== textString) throw new TypeError("a break has no beginning");
  for (;;) {
    const initial = cursor.uint8();
    if (initial === breakByte) return 0;
    if (initial >> 5 !== major || (initial & 31) === 31) {
      throw new TypeError("a string consists of parts of another kind");
    }
    if (major === textString) cursor.skipText(argument(cursor, initial & 31));
    else cursor.skip(argument(cursor, initial & 31));
  }
}

function argument(cursor: ByteCursor, info: number): number {
  if (info < 24) return info;
  switch (info) {
    case 24:
      return cursor.uint8();
    case 25:
      return cursor.uint16();
    case 26:
      return cursor.uint32();
    case 27:
      return cursor.uint64();
  }
  throw new TypeError(`${info} is no length`);
}
