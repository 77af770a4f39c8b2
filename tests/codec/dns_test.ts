import assert from "node:assert/strict";
import { test } from "bun:test";
import { type Framing, headerCorrupt, headerOk } from "../../lib/codec/codec.ts";
import { createDnsCodec } from "../../lib/codec/dns.ts";
import { UsageError } from "../../lib/errors.ts";

const framings: Framing[] = ["stream", "message"];
const query = "example.com/A";

function message(framing: Framing, sequence: number) {
  const codec = createDnsCodec({ query, framing });
  const bytes = new Uint8Array(codec.messageBytes);
  codec.prepare(bytes);
  codec.stamp(bytes, 0, sequence);
  return { codec, bytes, start: framing === "stream" ? 2 : 0 };
}

/** An answer with one A record, as a DNS server sends it. */
function answer(framing: Framing, sequence: number, flags = 0x8180, withQuestion = true) {
  const { bytes } = message("message", sequence);
  const record = [0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 192, 0, 2, 1];
  const dns = [...bytes.subarray(0, withQuestion ? 29 : 12), ...(withQuestion ? record : [])];
  dns[2] = flags >> 8;
  dns[3] = flags & 0xff;
  dns[5] = withQuestion ? 1 : 0;
  dns[7] = withQuestion ? 1 : 0;
  return Uint8Array.from(framing === "stream" ? [0, dns.length, ...dns] : dns);
}

test("createDnsCodec() makes the query of RFC 1035, with a length before it on streams", () => {
  const dns = "1234 0100 0001 0000 0000 0000 07 6578616d706c65 03 636f6d 00 0001 0001"
    .replaceAll(" ", "");
  assert.equal(Buffer.from(message("message", 0x1234).bytes).toString("hex"), dns);
  assert.equal(Buffer.from(message("stream", 0x1234).bytes).toString("hex"), "001d" + dns);
  assert.equal(createDnsCodec({ query, framing: "stream" }).messageBytes, 31);
  assert.throws(() => createDnsCodec({ query: "example.com", framing: "stream" }), UsageError);
});

test("prepare() and stamp() lay out a batch", () => {
  const { codec } = message("stream", 0);
  const batch = new Uint8Array(31 * 5 + 3);
  codec.prepare(batch);
  for (let k = 0; k < 5; k++) codec.stamp(batch, 31 * k, 0x2fffe + k);
  for (let k = 0; k < 5; k++) {
    assert.equal(codec.readHeader(batch, 31 * k, batch.length - 31 * k), headerOk);
    assert.equal(codec.answerSequence, (0xfffe + k) % 65_536);
    assert.ok(codec.matches(batch, 31 * k, 31, 0, 0x2fffe + k));
  }
  assert.deepEqual(codec.answerStatuses(), { echoed: 5 });
});

test("readHeader() counts the response codes and truncated answers", () => {
  for (const framing of framings) {
    const { codec } = message(framing, 0);
    const flagsOf = [0x8180, 0x8180, 0x8182, 0x8183, 0x8185, 0x8380, 0x818f];
    for (const flags of flagsOf) {
      const bytes = answer(framing, 77, flags);
      assert.equal(codec.readHeader(bytes, 0, bytes.length), headerOk);
      assert.equal(codec.answerBytes, bytes.length);
      assert.equal(codec.answerSequence, 77);
      assert.ok(codec.matches(bytes, 0, bytes.length, 0, 77));
    }
    assert.deepEqual(codec.answerStatuses(), {
      NOERROR: 3,
      SERVFAIL: 1,
      NXDOMAIN: 1,
      REFUSED: 1,
      RCODE15: 1,
      truncated: 1,
    });
  }
});

test("readHeader() takes an error answer without the question", () => {
  for (const framing of framings) {
    const { codec } = message(framing, 0);
    const bytes = answer(framing, 9, 0x8181, false);
    assert.equal(codec.readHeader(bytes, 0, bytes.length), headerOk);
    assert.ok(codec.matches(bytes, 0, bytes.length, 0, 9));
    assert.deepEqual(codec.answerStatuses(), { FORMERR: 1 });
  }
});

test("readHeader() refuses lengths that cannot be", () => {
  const { codec, bytes } = message("stream", 1);
  for (const length of [0, 1, 11, 12, 28, 30, 65_535]) {
    bytes[0] = length >> 8;
    bytes[1] = length & 0xff;
    assert.equal(codec.readHeader(bytes, 0, bytes.length), headerCorrupt, `length ${length}`);
  }
  const real = answer("stream", 1);
  real[1] = 28; // ends within the question
  assert.equal(codec.readHeader(real, 0, real.length), headerCorrupt);
  const datagram = message("message", 1);
  for (const available of [0, 11, 28, 30]) {
    assert.equal(datagram.codec.readHeader(datagram.bytes, 0, available), headerCorrupt);
  }
  assert.deepEqual(codec.answerStatuses(), {});
});

test("readHeader() and matches() notice damage of any bit of an echoed query but the QR bit", () => {
  for (const framing of framings) {
    const { codec, bytes, start } = message(framing, 0xabcd);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      if (bit === 8 * (start + 2) + 7) continue; // a real answer may look like this
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const noticed = codec.readHeader(bytes, 0, bytes.length) === headerCorrupt ||
        codec.answerSequence !== 0xabcd || !codec.matches(bytes, 0, bytes.length, 0, 0xabcd);
      assert.ok(noticed, `${framing}, bit ${bit}`);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    assert.ok(codec.matches(bytes, 0, bytes.length, 0, 0xabcd));
  }
});

test("matches() checks id and question of a real answer, in any split, and not its records", () => {
  for (const framing of framings) {
    const { codec, start } = message(framing, 0);
    const bytes = answer(framing, 300);
    assert.ok(!codec.matches(bytes, 0, bytes.length, 0, 301));
    for (let split = codec.headerBytes; split < bytes.length; split++) {
      assert.ok(codec.matches(bytes, 0, split, 0, 300));
      assert.ok(codec.matches(bytes, split, bytes.length - split, split, 300));
    }
    bytes[bytes.length - 1]! ^= 1;
    assert.ok(codec.matches(bytes, 0, bytes.length, 0, 300));
    bytes[start + 14]! ^= 1;
    assert.ok(!codec.matches(bytes, 0, bytes.length, 0, 300));
  }
});

test("readHeader() and matches() take random and truncated bytes without throwing", () => {
  for (const framing of framings) {
    const { codec } = message(framing, 0);
    const bytes = new Uint8Array(80);
    for (let round = 0; round < 20_000; round++) {
      const length = Math.floor(Math.random() * bytes.length);
      const part = bytes.subarray(0, length);
      crypto.getRandomValues(part);
      const result = codec.readHeader(part, 0, length);
      if (length < codec.headerBytes) assert.equal(result, headerCorrupt);
      if (result === headerOk) assert.ok(codec.answerBytes >= codec.headerBytes);
      codec.matches(part, 0, length, 0, round);
      assert.ok(!codec.matches(part, 0, length + 1, 0, round));
    }
  }
});
