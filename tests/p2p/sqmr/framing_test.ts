import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  lengthPrefixBytes,
  maximumMessageBytes,
  ResponseDecoder,
  writeLengthPrefix,
} from "../../../lib/p2p/sqmr/framing.ts";
import { MalformedStreamError } from "../../../lib/p2p/network/stream_reader.ts";

/** A length and its prefix, by the table of the unsigned-varint specification and its rule. */
const prefixes: readonly [length: number, prefix: string][] = [
  [0, "00"],
  [1, "01"],
  [127, "7f"],
  [128, "8001"],
  [255, "ff01"],
  [300, "ac02"],
  [1024, "8008"],
  [16_383, "ff7f"],
  [16_384, "808001"],
  [65_536, "808004"],
  [1_048_575, "ffff3f"],
  [1_048_576, "808040"],
];

const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

/** The responses of pieces, copied. */
function decode(...pieces: readonly Uint8Array[]): { responses: string[]; isComplete: boolean } {
  const responses: string[] = [];
  const decoder = new ResponseDecoder((bytes) =>
    responses.push(Buffer.from(bytes).toString("hex"))
  );
  for (const piece of pieces) decoder.push(piece);
  return { responses, isComplete: decoder.isComplete };
}

/** Numbers that are the same in every run (xorshift32). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

test("writeLengthPrefix() writes unsigned varints", () => {
  for (const [length, prefix] of prefixes) {
    const bytes = new Uint8Array(6).fill(0xee);
    const end = writeLengthPrefix(bytes, 2, length);
    assert.equal(Buffer.from(bytes.subarray(2, end)).toString("hex"), prefix);
    assert.equal(end - 2, lengthPrefixBytes(length));
    assert.deepEqual([bytes[0], bytes[1], bytes[end]], [0xee, 0xee, end < 6 ? 0xee : undefined]);
  }
});

test("lengthPrefixBytes() refuses what SQMR does not carry", () => {
  for (const length of [maximumMessageBytes + 1, -1, 1.5, NaN, Infinity]) {
    assert.throws(() => lengthPrefixBytes(length), /0 to 1048576 bytes/);
  }
});

test("ResponseDecoder reads pinned streams, whole and byte for byte", () => {
  const stream = hex("00" + "03aabbcc" + "8001" + "5a".repeat(128) + "01ff");
  const responses = ["", "aabbcc", "5a".repeat(128), "ff"];
  assert.deepEqual(decode(stream), { responses, isComplete: true });
  const bytes = [...stream].map((byte) => Uint8Array.of(byte));
  assert.deepEqual(decode(...bytes), { responses, isComplete: true });
});

test("ResponseDecoder reads every length at which the prefix changes", () => {
  for (const [length, prefix] of prefixes) {
    const stream = new Uint8Array(prefix.length / 2 + length).fill(7);
    stream.set(hex(prefix));
    let received: Uint8Array | undefined;
    const decoder = new ResponseDecoder((response) => received = response.slice());
    for (let at = 0; at < stream.length; at += 50_000) decoder.push(stream.slice(at, at + 50_000));
    assert.equal(received?.length, length);
    assert.ok(received?.every((byte) => byte === 7));
    assert.ok(decoder.isComplete);
  }
});

test("ResponseDecoder says where a stream must not end", () => {
  const stream = hex("02aabb" + "8001" + "5a".repeat(128));
  const complete = new Set([0, 3, stream.length]);
  for (let end = 0; end <= stream.length; end++) {
    assert.equal(decode(stream.subarray(0, end)).isComplete, complete.has(end), `${end} bytes`);
  }
});

test("ResponseDecoder refuses lengths that are too large or not in their shortest form", () => {
  // 1 MiB and a byte; four bytes of length; the same length in a longer form.
  for (const stream of ["818040", "ffff7f", "80808001", "ffffffffffffffffff01", "8000", "ff8000"]) {
    const bytes = hex(stream);
    assert.throws(() => decode(bytes), MalformedStreamError, stream);
    assert.throws(
      () => decode(...[...bytes].map((byte) => Uint8Array.of(byte))),
      stream,
    );
  }
});

test("ResponseDecoder gives the same for any cut of a stream", () => {
  const random = numbers(20_261);
  for (let round = 0; round < 200; round++) {
    const lengths = Array.from(
      { length: 1 + random(8) },
      () => random(random(2) === 0 ? 8 : 40_000),
    );
    const stream = new Uint8Array(lengths.reduce((sum, length) => sum + 3 + length, 0));
    let end = 0;
    const expected: string[] = [];
    for (const length of lengths) {
      end = writeLengthPrefix(stream, end, length);
      for (let i = 0; i < length; i++) stream[end + i] = random(256);
      expected.push(Buffer.from(stream.subarray(end, end + length)).toString("hex"));
      end += length;
    }
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < end;) {
      const size = 1 + random(random(3) === 0 ? 4 : 20_000);
      pieces.push(stream.slice(at, Math.min(end, at + size)));
      at += size;
    }
    assert.deepEqual(decode(...pieces), { responses: expected, isComplete: true });
  }
});

test("ResponseDecoder lives through random bytes: a response of at most 1 MiB, or an error", () => {
  const random = numbers(77);
  let refused = 0;
  for (let round = 0; round < 2_000; round++) {
    const pieces = Array.from(
      { length: 1 + random(4) },
      () => Uint8Array.from({ length: random(60) }, () => random(256)),
    );
    try {
      for (const response of decode(...pieces).responses) assert.ok(response.length < 240 * 2);
    } catch (error) {
      if (!(error instanceof MalformedStreamError)) throw error;
      refused++;
    }
  }
  assert.ok(refused > 100, `${refused} of 2000 refused`);
});

test("ResponseDecoder copies 1 MiB in small pieces in linear time", () => {
  const piece = new Uint8Array(16);
  const prefix = hex("808040");
  let received = 0;
  const decoder = new ResponseDecoder((response) => received += response.length);
  const start = performance.now();
  for (let response = 0; response < 20; response++) {
    decoder.push(prefix);
    for (let i = 0; i < maximumMessageBytes / piece.length; i++) decoder.push(piece);
  }
  assert.equal(received, 20 * maximumMessageBytes);
  // 1.3 million pieces; copying all that came before at each of them would be 690 GB.
  assert.ok(performance.now() - start < 20_000);
});
