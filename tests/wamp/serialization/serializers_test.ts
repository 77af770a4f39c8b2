import { test } from "bun:test";
import assert from "node:assert/strict";
import { ProtocolViolation } from "../../../lib/wamp/message/protocol_violation.ts";
import { packBatch, unpackBatch } from "../../../lib/wamp/serialization/batch.ts";
import { Payload } from "../../../lib/wamp/serialization/payload.ts";
import type { Encoded, Serializer } from "../../../lib/wamp/serialization/serializer.ts";
import { serializers } from "../../../lib/wamp/serialization/serializers.ts";
import { chooseSubprotocol } from "../../../lib/wamp/serialization/subprotocol.ts";

const [json, msgpack, cbor] = serializers;

const hex = (encoded: Encoded) => Buffer.from(encoded as Uint8Array).toString("hex");
const bytes = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

/** Of every kind of head, with and without arguments. */
const messages: readonly unknown[][] = [
  [1, "realm1", { roles: { publisher: {}, caller: { features: { call_timeout: true } } } }],
  [2, 2 ** 53 - 1, { roles: { broker: {}, dealer: {} }, realm: "realm1" }],
  [3, { message: "no" }, "wamp.error.no_such_realm"],
  [5, "signature", {}],
  [6, {}, "wamp.close.normal"],
  [8, 48, 7, {}, "com.example.error", ["what", -1], { more: [1, 2, 3] }],
  [16, 1, { acknowledge: true }, "com.example.topic", ["log", 0, 2 ** 40, new Uint8Array(300)]],
  [17, 1, 4429313566],
  [32, 1, { match: "prefix" }, "com.example"],
  [36, 5512315355, 4429313566, {}],
  [36, 5512315355, 4429313566, {}, [], { a: null, b: true, c: "ü€😀", d: 1.5 }],
  [48, 2 ** 32 + 1, {}, "com.example.proc", ["x".repeat(70_000)]],
  [50, 7, {}, [[[]], {}]],
  [70, 7, { progress: true }, [-(2 ** 40), -(2 ** 53) + 1, -5, 255, 65536, 2 ** 53 - 1]],
];

test("decode() gives what encode() took, and join() what open() took", () => {
  for (const message of messages) {
    for (const serializer of serializers) {
      const frame = serializer.encode(message);
      assert.deepEqual(serializer.decode(frame), message);
      const { head, payload } = serializer.open(frame);
      for (const other of serializers) {
        assert.deepEqual(other.decode(other.join(head, payload)), message);
      }
      assert.deepEqual([...head, ...payload.values()], message);
    }
  }
});

test("encode() gives the bytes that the formats' own specifications give", () => {
  // RFC 8949, appendix A: 1000000000000, -1000, h'01020304', {"a": 1, "b": [2, 3]}.
  const values = [1_000_000_000_000, -1000, bytes("01020304"), { a: 1, b: [2, 3] }];
  assert.equal(
    hex(cbor.encode([70, 1, {}, values])),
    "84184601a084" + "1b000000e8d4a51000" + "3903e7" + "4401020304" + "a26161016162820203",
  );
  // The specification of MessagePack: uint 64, int 16, bin 8, fixmap.
  assert.equal(
    hex(msgpack.encode([70, 1, {}, values])),
    "94460180" + "94" + "cf000000e8d4a51000" + "d1fc18" + "c40401020304" + "82a16101a162920203",
  );
  // The specification of WAMP, "Binary support in JSON".
  assert.equal(
    json.encode([70, 1, {}, [bytes("10e3ff9053075c526f5fc06d4fe37cdb")]]),
    '[70,1,{},["\\u0000EOP/kFMHXFJvX8BtT+N82w=="]]',
  );
});

test("join() passes arguments on byte for byte", () => {
  // A double that is a whole number, an integer in eight bytes, a key that is there twice.
  const arguments_ = "83" + "fb3ff0000000000000" + "1b0000000000000005" + "a2616101616102";
  const opened = cbor.open(bytes("8518240102a0" + arguments_));
  assert.equal(hex(cbor.join([36, 9, 9, {}], opened.payload)), "8518240909a0" + arguments_);
  const text = '[36,1,2,{"a":"]\\"["}, [1.0, 12345678901234567890 ,"\\u0041"] ]';
  const raw = json.open(text);
  assert.equal(
    json.join([36, 9, 9, {}], raw.payload),
    '[36,9,9,{}, [1.0, 12345678901234567890 ,"\\u0041"] ]',
  );
});

test("a bigint becomes an integer of 64 bits or digits", () => {
  const payload = Payload.of([[2n ** 63n, 2 ** 40, -3n]]);
  assert.equal(json.join([70, 1, {}], payload), "[70,1,{},[9223372036854775808,1099511627776,-3]]");
  assert.equal(
    hex(msgpack.join([70, 1, {}], payload)),
    "94460180" + "93" + "cf8000000000000000" + "cf0000010000000000" + "d3fffffffffffffffd",
  );
  assert.equal(
    hex(cbor.join([70, 1, {}], payload)),
    "84184601a083" + "1b8000000000000000" + "1b0000010000000000" + "22",
  );
});

const malformedFrames: readonly (readonly [Serializer, Encoded])[] = [
  [json, "{}"],
  [json, "[36,1,2,{},[1]"],
  [json, bytes("5b22ff225d")],
  [json, `[16,1,{},"a",${"[".repeat(5000)}${"]".repeat(5000)}]`],
  [msgpack, bytes("95")],
  [msgpack, bytes("a0")],
  [msgpack, bytes("9524010280910000")],
  [msgpack, bytes("9524010280dd7fffffff")],
  [msgpack, bytes("9524010280c1")],
  [msgpack, bytes("95240102" + "80" + "91a1ff")],
  [msgpack, bytes("9524010280" + "91".repeat(100_000))],
  [msgpack, "text"],
  [cbor, bytes("85")],
  [cbor, bytes("60")],
  [cbor, bytes("8518240102a0" + "81".repeat(100_000))],
  [cbor, bytes("8518240102a0" + "9bffffffffffffffff")],
  [cbor, bytes("8518240102a0" + "bf6161ff")],
  [cbor, bytes("8518240102a0" + "ff")],
  [cbor, bytes("8518240102a0" + "1c")],
];

test("open() refuses what is not well-formed", () => {
  for (const [serializer, frame] of malformedFrames) {
    assert.throws(() => serializer.open(frame), ProtocolViolation);
  }
});

/** A list of `count` lists, each of which has the one before it twice, as value sharing writes them. */
function shared(count: number): number[] {
  const values = [0x98, count, 0xd8, 28, 0x82, 1, 1];
  for (let index = 1; index < count; index++) {
    const before = [0xd8, 29, 0x18, index - 1];
    values.push(0xd8, 28, 0x82, ...before, ...before);
  }
  return values;
}

const cborDetails = (value: readonly number[]) =>
  new Uint8Array([0x83, 1, 0x61, 0x72, 0xa1, 0x61, 0x61, ...value]);
const msgpackDetails = (value: string) => bytes("9301a172" + "81a161" + value);
/** 2^(8 · length) - 1, as an integer of that many bytes. */
const bignum = (
  length: number,
) => [0xc2, 0x59, length >>> 8, length & 255, ...new Array<number>(length).fill(0xff)];

test("values that refer to others are not decoded, nor such as take the square of their length", () => {
  const refused: readonly (readonly [Serializer, Uint8Array])[] = [
    // 2^60 values when it is walked through.
    [cbor, cborDetails(shared(60))],
    [cbor, cborDetails(bignum(60_000))],
    [cbor, cborDetails([0xd8, 64, 0xa1, 0x66, ...Buffer.from("buffer"), 0x1a, 0x7f, 0, 0, 0])],
    // Packed values, generic objects, definitions of records.
    [cbor, cborDetails([0xd8, 51, 0x84, 0x81, 1, 0x80, 0x80, 1])],
    [cbor, cborDetails([0xd8, 27, 0x82, 0x66, ...Buffer.from("RegExp"), 0x61, 0x61])],
    [cbor, cborDetails([0xd8, 105, 0x83, 0x19, 0xe0, 0, 0x81, 0x61, 0x62, 1])],
    // References, definitions of records and bundled strings.
    [msgpack, msgpackDetails("92" + "d66900000001" + "9101" + "d67000000001")],
    [msgpack, msgpackDetails("d47240" + "91a161" + "01")],
    [msgpack, msgpackDetails("d66200000001")],
  ];
  for (const [serializer, frame] of refused) {
    assert.throws(() => serializer.open(frame), ProtocolViolation, hex(frame).slice(0, 80));
    assert.throws(() => serializer.decode(frame), ProtocolViolation, hex(frame).slice(0, 80));
  }
  // The same in a list without a length, and in arguments that are to be decoded.
  const indefinite = new Uint8Array([0x9f, ...cborDetails(shared(60)).subarray(1), 0xff]);
  assert.throws(() => cbor.open(indefinite), ProtocolViolation);
  const event = new Uint8Array([0x85, 0x18, 36, 1, 2, 0xa0, 0x81, ...shared(60)]);
  const { payload } = cbor.open(event);
  assert.deepEqual(cbor.join([36, 1, 2, {}], payload), event);
  assert.throws(() => payload.encodedFor(json), ProtocolViolation);
  // What stands for itself is decoded.
  assert.deepEqual(cbor.decode(cborDetails([0xc1, 0]))[2], { a: new Date(0) });
  assert.deepEqual(cbor.decode(cborDetails(bignum(9)))[2], { a: 2n ** 72n - 1n });
  assert.deepEqual(msgpack.decode(msgpackDetails("d6ff00000000"))[2], { a: new Date(0) });
  assert.deepEqual(msgpack.decode(msgpackDetails("d40000"))[2], { a: undefined });
});

test("open() and decode() survive whatever comes", () => {
  let seed = 42;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed % below;
  };
  for (const serializer of serializers) {
    const frames = messages.map((message) => Buffer.from(serializer.encode(message) as string));
    for (let round = 0; round < 3000; round++) {
      const frame = Buffer.from(frames[random(frames.length)]!.subarray(0, 200));
      for (let changes = random(4); changes >= 0; changes--) {
        frame[random(frame.length)] = random(256);
      }
      const input = serializer.isBinary ? frame : frame.toString("latin1");
      for (
        const read of [
          () => serializer.decode(input),
          () => serializer.open(input).payload.values(),
        ]
      ) {
        try {
          read();
        } catch (error) {
          assert.ok(error instanceof ProtocolViolation, `${input.toString("hex")}: ${error}`);
        }
      }
    }
  }
});

test("unpackBatch() gives the messages of packBatch(), and refuses any other batch", () => {
  const batch = packBatch([bytes("0102"), bytes(""), bytes("ff")]);
  assert.equal(hex(batch), "00000002" + "0102" + "00000000" + "00000001" + "ff");
  const unpacked: string[] = [];
  unpackBatch(batch, (message) => unpacked.push(hex(message)));
  assert.deepEqual(unpacked, ["0102", "", "ff"]);
  for (const wrong of ["", "000000", "0000000201", "ffffffff01"]) {
    assert.throws(() => unpackBatch(bytes(wrong), () => {}), ProtocolViolation);
  }
});

test("chooseSubprotocol() takes the first that it knows", () => {
  assert.equal(
    chooseSubprotocol("wamp.2.flatbuffers, wamp.2.cbor.batched,wamp.2.json")?.name,
    "wamp.2.cbor.batched",
  );
  assert.equal(chooseSubprotocol("wamp.1"), undefined);
});
