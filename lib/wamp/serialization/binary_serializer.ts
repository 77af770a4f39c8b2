import { payloadIndex } from "../message/codes.ts";
import { ByteCursor } from "./binary_scan.ts";
import { malformed } from "./malformed.ts";
import { Payload } from "./payload.ts";
import { toBinaryValue } from "./portable.ts";
import type { Encoded, OpenedMessage, Serializer } from "./serializer.ts";

/** What MessagePack and CBOR do differently. */
export interface BinaryFormat {
  readonly name: "msgpack" | "cbor";
  readonly index: 1 | 2;
  readonly rawSocketId: 2 | 3;
  /** The initial byte of an empty list; a short list has its length added to it. */
  readonly listByte: number;
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
  /** @returns -1 where no list with a length begins. */
  listLength(cursor: ByteCursor): number;
  /** @returns undefined: it is not of the simple kinds, nothing is read. */
  simple(cursor: ByteCursor): unknown;
  skip(cursor: ByteCursor): void;
  /** What begins with that byte. */
  kindOf(byte: number): "list" | "dict" | "bytes" | "other";
}

/** ERROR has the most. */
const mostElements = 7;

/** A serializer of bytes that opens messages without decoding their arguments. */
export function binarySerializer(format: BinaryFormat): Serializer {
  const { name, index, rawSocketId } = format;
  const cursor = new ByteCursor();

  function decode(frame: Encoded): unknown[] {
    try {
      const bytes = bytesOf(frame);
      cursor.begin(bytes, true);
      const length = format.listLength(cursor);
      if (length < 0) cursor.at = 0;
      for (let left = length < 0 ? 1 : length; left > 0; left--) format.skip(cursor);
      const message = format.decode(bytes);
      if (!Array.isArray(message)) throw new TypeError("it is not a list");
      return message;
    } catch (error) {
      throw malformed(name, error);
    }
  }

  function element(): unknown {
    const simple = format.simple(cursor);
    if (simple !== undefined) return simple;
    const from = cursor.at;
    format.skip(cursor);
    return format.decode(bytesOf(cursor.bytes.subarray(from, cursor.at)));
  }

  function openWithLength(length: number): OpenedMessage {
    if (length > mostElements) throw new RangeError(`it has ${length} elements`);
    const code = length > 0 ? element() : undefined;
    const index = payloadIndex(code as number);
    const headLength = index < 0 ? length : Math.min(index, length);
    const head: unknown[] = [];
    if (length > 0) head.push(code);
    while (head.length < headLength) head.push(element());
    const from = cursor.at;
    const count = length - headLength;
    // Arguments are passed on, or looked through again before they are decoded.
    cursor.isForDecoding = false;
    for (let position = 0; position < count; position++) {
      const kind = format.kindOf(cursor.bytes[cursor.at]!);
      if (position === 0 ? kind !== "list" && kind !== "bytes" : kind !== "dict" || position > 1) {
        throw new TypeError("its arguments are not a list and a dictionary");
      }
      format.skip(cursor);
    }
    if (cursor.at !== cursor.bytes.length) throw new TypeError("something follows behind the list");
    const payload = count === 0
      ? Payload.empty
      : Payload.encoded(serializer, cursor.bytes.subarray(from), count);
    return { head, payload };
  }

  const serializer: Serializer = {
    name,
    index,
    rawSocketId,
    isBinary: true,
    decode,

    open(frame) {
      try {
        cursor.begin(bytesOf(frame), true);
        const length = format.listLength(cursor);
        if (length >= 0) return openWithLength(length);
      } catch (error) {
        throw malformed(name, error);
      }
      const message = decode(frame);
      const index = payloadIndex(message[0] as number);
      const values = index < 0 ? [] : message.splice(index);
      return { head: message, payload: Payload.of(values) };
    },

    encode: (message) => format.encode(toBinaryValue(message)),

    join(head, payload) {
      const encoded = format.encode(head);
      if (payload.count === 0) return encoded;
      const rest = payload.encodedFor(serializer) as Uint8Array;
      const joined = new Uint8Array(encoded.length + rest.length);
      joined.set(encoded);
      // Heads have at most five elements, so that their lists are short ones.
      joined[0] = format.listByte + head.length + payload.count;
      joined.set(rest, encoded.length);
      return joined;
    },

    decodeValues(raw, count) {
      const bytes = bytesOf(raw);
      const listed = new Uint8Array(bytes.length + 1);
      listed[0] = format.listByte + count;
      listed.set(bytes, 1);
      return decode(listed);
    },

    encodeValues: (values) => format.encode(toBinaryValue(values)).subarray(1),
  };
  return serializer;
}

function bytesOf(frame: Encoded): Uint8Array {
  if (typeof frame === "string") throw new TypeError("it came as text");
  // A Buffer would make a Buffer of every value that consists of bytes.
  return new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
}
