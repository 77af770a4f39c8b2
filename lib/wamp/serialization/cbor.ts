import { Decoder } from "cbor-x";
import { encode } from "cborg";
import { withoutSmallBigints } from "./bigints.ts";
import { binarySerializer } from "./binary_serializer.ts";
import { cborKind, cborListLength, cborSimple, skipCbor } from "./cbor_scan.ts";

// With `int64AsNumber` it loses the upper half of negative integers of 64 bits (cbor-x 1.6.8), so those
// come as `bigint` and become numbers here.
const decoder = new Decoder({ mapsAsObjects: true, useRecords: false });

/** CBOR (RFC 8949). The choice of libraries is that of MessagePack, for the same reason. */
export const cbor = binarySerializer({
  name: "cbor",
  index: 2,
  rawSocketId: 3,
  listByte: 0x80,
  encode: (value) => encode(value),
  decode: (bytes) => withoutSmallBigints(decoder.decode(bytes)),
  listLength: cborListLength,
  simple: cborSimple,
  skip: skipCbor,
  kindOf: cborKind,
});
