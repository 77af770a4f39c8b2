import { Encoder } from "@msgpack/msgpack";
import { Unpackr } from "msgpackr";
import { binarySerializer } from "./binary_serializer.ts";
import { hasBigint, withBigints } from "./bigints.ts";
import { maxDepth } from "./portable.ts";
import { msgpackKind, msgpackListLength, msgpackSimple, skipMsgpack } from "./msgpack_scan.ts";

// The encoder keeps integers beyond 2^32 integers (the other library makes floats of them, which
// autobahn-python refuses as ids); the decoder is the faster one.
const maxEncodedDepth = maxDepth + 10; // with what a message has around its arguments
const encoder = new Encoder({ maxDepth: maxEncodedDepth });
const encoder64 = new Encoder({ useBigInt64: true, maxDepth: maxEncodedDepth });
// "auto" (a bigint only beyond 2^53) is missing from the types.
const decoder = new Unpackr({
  useRecords: false,
  mapsAsObjects: true,
  int64AsType: "auto" as "number",
});

/** MessagePack, version 5. */
export const msgpack = binarySerializer({
  name: "msgpack",
  index: 1,
  rawSocketId: 2,
  listByte: 0x90,
  encode,
  decode: (bytes) => decoder.unpack(bytes),
  listLength: msgpackListLength,
  simple: msgpackSimple,
  skip: skipMsgpack,
  kindOf: msgpackKind,
});

function encode(value: unknown): Uint8Array {
  // What encodes `bigint` makes floats of large numbers, so that is kept for values that need it.
  return hasBigint(value) ? encoder64.encode(withBigints(value)) : encoder.encode(value);
}
