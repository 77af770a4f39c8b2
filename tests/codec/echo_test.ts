import assert from "node:assert/strict";
import { test } from "bun:test";
import { type Framing, headerCorrupt, headerOk } from "../../lib/codec/codec.ts";
import { createEchoCodec } from "../../lib/codec/echo.ts";
import { UsageError } from "../../lib/errors.ts";

const framings: Framing[] = ["stream", "message"];

function message(sizeBytes: number, sequence: number, framing: Framing = "stream") {
  const codec = createEchoCodec({ sizeBytes, framing });
  const bytes = new Uint8Array(sizeBytes);
  codec.prepare(bytes);
  codec.stamp(bytes, 0, sequence);
  return { codec, bytes };
}

test("createEchoCodec() lays out size, sequence and check, most significant byte first", () => {
  const { codec, bytes } = message(31, 0x01020304);
  assert.equal(codec.messageBytes, 31);
  assert.equal(codec.headerBytes, 12);
  assert.deepEqual([...bytes.subarray(0, 8)], [0, 0, 0, 31, 1, 2, 3, 4]);
});

test("createEchoCodec() refuses sizes that cannot be and names the bound", () => {
  for (const sizeBytes of [11, 0, -1, 12.5, NaN]) {
    assert.throws(() => createEchoCodec({ sizeBytes, framing: "stream" }), (error) => {
      return error instanceof UsageError && /minimum .* 12 bytes/.test(error.message);
    });
  }
  assert.throws(() => createEchoCodec({ sizeBytes: 2 ** 30 + 1, framing: "stream" }), UsageError);
  assert.equal(createEchoCodec({ sizeBytes: 12, framing: "message" }).messageBytes, 12);
});

test("readHeader() gives back the low 32 bits of every sequence number", () => {
  const { codec, bytes } = message(64, 0);
  for (const sequence of [0, 1, 255, 65_536, 2 ** 31, 2 ** 32 - 1, 2 ** 32 + 7, 2 ** 52 + 3]) {
    codec.stamp(bytes, 0, sequence);
    assert.equal(codec.readHeader(bytes, 0, 64), headerOk);
    assert.equal(codec.answerSequence, sequence % 2 ** 32);
    assert.equal(codec.answerBytes, 64);
    assert.ok(codec.matches(bytes, 0, 64, 0, sequence));
    assert.ok(!codec.matches(bytes, 0, 64, 0, sequence + 1));
  }
});

test("prepare() fills a batch of messages that only need stamping", () => {
  const codec = createEchoCodec({ sizeBytes: 100, framing: "stream" });
  const batch = new Uint8Array(1_050); // ends within a message
  codec.prepare(batch);
  for (let k = 0; k < 10; k++) codec.stamp(batch, 100 * k, 5_000 + k);
  for (let k = 0; k < 10; k++) {
    assert.equal(codec.readHeader(batch, 100 * k, batch.length - 100 * k), headerOk);
    assert.equal(codec.answerSequence, 5_000 + k);
    assert.ok(codec.matches(batch, 100 * k, 100, 0, 5_000 + k));
  }
  const payload = batch.subarray(12, 100);
  assert.ok(new Set(payload).size > 60, "payload bytes differ from each other");
});

test("matches() compares any split into parts, also across the repetition of the payload", () => {
  const sizeBytes = 200_000;
  const { codec, bytes } = message(sizeBytes, 42);
  for (const partBytes of [1, 5, 12, 13, 31, 1_460, 65_521, 65_536, sizeBytes]) {
    const step = partBytes < 12 ? 97 : 1; // small parts: not all of them, to keep the test short
    for (let at = 0, k = 0; at < sizeBytes; at += partBytes, k++) {
      if (k % step !== 0) continue;
      const length = Math.min(partBytes, sizeBytes - at);
      assert.ok(codec.matches(bytes, at, length, at, 42), `${partBytes} at ${at}`);
    }
  }
  assert.ok(!codec.matches(bytes, 0, 64, 65_536, 42), "another place in the message");
  assert.ok(!codec.matches(bytes, 0, 64, sizeBytes - 1, 42), "beyond the end");
});

test("readHeader() and matches() notice the damage of any single bit", () => {
  for (const framing of framings) {
    for (const sizeBytes of [12, 13, 31, 300]) {
      const { codec, bytes } = message(sizeBytes, 0x89abcdef, framing);
      for (let bit = 0; bit < 8 * sizeBytes; bit++) {
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        const corruptHeader = codec.readHeader(bytes, 0, sizeBytes) === headerCorrupt;
        assert.equal(corruptHeader, bit < 96, `${framing}, size ${sizeBytes}, bit ${bit}`);
        assert.ok(!codec.matches(bytes, 0, sizeBytes, 0, 0x89abcdef));
        bytes[bit >> 3]! ^= 1 << (bit & 7);
      }
      assert.ok(codec.matches(bytes, 0, sizeBytes, 0, 0x89abcdef));
    }
  }
});

test("readHeader() refuses messages of another size", () => {
  const { bytes } = message(31, 7, "message");
  const codec = createEchoCodec({ sizeBytes: 31, framing: "message" });
  assert.equal(codec.readHeader(bytes, 0, 31), headerOk);
  for (const available of [0, 11, 12, 30, 32]) {
    assert.equal(codec.readHeader(bytes, 0, available), headerCorrupt);
  }
  const other = createEchoCodec({ sizeBytes: 32, framing: "stream" });
  assert.equal(other.readHeader(bytes, 0, 31), headerCorrupt);
});

test("readHeader() and matches() take random and truncated bytes without throwing", () => {
  for (const framing of framings) {
    const codec = createEchoCodec({ sizeBytes: 100, framing });
    const bytes = new Uint8Array(120);
    for (let round = 0; round < 20_000; round++) {
      const length = Math.floor(Math.random() * bytes.length);
      const part = bytes.subarray(0, length);
      crypto.getRandomValues(part);
      if (round % 2 === 0) part.set([0, 0, 0, 100].slice(0, length));
      assert.equal(codec.readHeader(part, 0, length), headerCorrupt);
      if (length >= 12) assert.ok(!codec.matches(part, 0, length, 0, round));
      assert.ok(!codec.matches(part, 0, length + 1, 0, round));
    }
  }
});
