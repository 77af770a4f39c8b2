import type { ByteCursor } from "./binary_scan.ts";
import { maxDepth } from "./portable.ts";

// Source: https://github.com/msgpack/msgpack/blob/master/spec.md

/** @returns how many elements the list has that begins here; -1 where no list begins. */
export function msgpackListLength(cursor: ByteCursor): number {
  const type = cursor.uint8();
  if (type >= 0x90 && type <= 0x9f) return type & 0x0f;
  if (type === 0xdc) return cursor.uint16();
  if (type === 0xdd) return cursor.uint32();
  return -1;
}

/**
 * Reads a value of the kinds that nearly all heads consist of: an integer that is not negative, a
 * string, an empty dictionary.
 *
 * @returns undefined for any other; the cursor stays before it then.
 */
export function msgpackSimple(cursor: ByteCursor): unknown {
  const from = cursor.at;
  const type = cursor.uint8();
  if (type <= 0x7f) return type;
  if (type === 0x80) return {};
  if (type >= 0xa0 && type <= 0xbf) return cursor.text(type & 0x1f);
  switch (type) {
    case 0xcc:
      return cursor.uint8();
    case 0xcd:
      return cursor.uint16();
    case 0xce:
      return cursor.uint32();
    case 0xcf:
      return cursor.uint64();
    case 0xd9:
      return cursor.text(cursor.uint8());
    case 0xda:
      return cursor.text(cursor.uint16());
  }
  cursor.at = from;
  return undefined;
}

/** What begins with that byte. */
export function msgpackKind(byte: number): "list" | "dict" | "bytes" | "other" {
  if ((byte & 0xf0) === 0x90 || byte === 0xdc || byte === 0xdd) return "list";
  if ((byte & 0xf0) === 0x80 || byte === 0xde || byte === 0xdf) return "dict";
  return byte >= 0xc4 && byte <= 0xc6 ? "bytes" : "other";
}

/**
 * Passes over a value with all that it contains.
 *
 * @throws {Error} it is not well-formed, or nested too deep.
 */
export function skipMsgpack(cursor: ByteCursor): void {
  const { left } = cursor;
  let depth = 0;
  left[0] = 1;
  while (depth >= 0) {
    if (left[depth] === 0) {
      depth--;
      continue;
    }
    left[depth]!--;
    const inside = skipOne(cursor);
    if (inside === 0) continue;
    if (++depth > maxDepth) throw new RangeError(`values are nested more than ${maxDepth} deep`);
    left[depth] = inside;
  }
}

/** @returns how many values the one passed over contains. */
function skipOne(cursor: ByteCursor): number {
  const type = cursor.uint8();
  if (type <= 0x7f || type >= 0xe0) return 0;
  if (type <= 0x8f) return (type & 0x0f) * 2;
  if (type <= 0x9f) return type & 0x0f;
  if (type <= 0xbf) return text(cursor, type & 0x1f);
  switch (type) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return 0;
    case 0xc4: // bin 8
      return skip(cursor, cursor.uint8());
    case 0xc5:
      return skip(cursor, cursor.uint16());
    case 0xc6:
      return skip(cursor, cursor.uint32());
    case 0xc7: // ext 8: the length, the type
      return extension(cursor, cursor.uint8());
    case 0xc8:
      return extension(cursor, cursor.uint16());
    case 0xc9:
      return extension(cursor, cursor.uint32());
    case 0xca: // float 32
    case 0xce: // uint 32
    case 0xd2: // int 32
      return skip(cursor, 4);
    case 0xcb: // float 64
    case 0xcf: // uint 64
    case 0xd3: // int 64
      return skip(cursor, 8);
    case 0xcc:
    case 0xd0:
      return skip(cursor, 1);
    case 0xcd:
    case 0xd1:
      return skip(cursor, 2);
    case 0xd4: // fixext 1: the type before it
      return extension(cursor, 1);
    case 0xd5:
      return extension(cursor, 2);
    case 0xd6:
      return extension(cursor, 4);
    case 0xd7:
      return extension(cursor, 8);
    case 0xd8:
      return extension(cursor, 16);
    case 0xd9: // str 8
      return text(cursor, cursor.uint8());
    case 0xda:
      return text(cursor, cursor.uint16());
    case 0xdb:
      return text(cursor, cursor.uint32());
    case 0xdc: // array 16
      return cursor.uint16();
    case 0xdd:
      return cursor.uint32();
    case 0xde: // map 16
      return cursor.uint16() * 2;
    case 0xdf:
      return cursor.uint32() * 2;
  }
  throw new TypeError("0xc1 is never used");
}

function skip(cursor: ByteCursor, length: number): 0 {
  cursor.skip(length);
  return 0;
}

/** The one extension that MessagePack defines, -1: a time in 4, 8 or 12 bytes. */
const timestamp = 0xff;
/** In one byte it is what JavaScript's libraries write for `undefined`. */
const nothing = 0;

function extension(cursor: ByteCursor, length: number): 0 {
  const type = cursor.uint8();
  const isTime = type === timestamp && (length === 4 || length === 8 || length === 12);
  const isPlain = isTime || type === nothing && length === 1;
  if (cursor.isForDecoding && !isPlain) {
    throw new TypeError(`the extension ${type} of ${length} bytes is not known here`);
  }
  cursor.skip(length);
  return 0;
}

function text(cursor: ByteCursor, length: number): 0 {
  cursor.skipText(length);
  return 0;
}
