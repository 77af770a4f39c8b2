import { test } from "bun:test";
import assert from "node:assert/strict";
import { emptyHeader, headerBytes, readMessage, writeHeader } from "../../lib/p2p/message.ts";
import { refusalReasons } from "../../lib/p2p/snapshot.ts";

/** Sender 3, index 0x0102030405, 2026-01-01 00:00:00.123456789, payload of 4 zeros. */
const pinned = "0000000000000003" + "0000000102030405" + "000000006955b900" + "075bcd15" +
  "0000000000000004" + "00000000";

test("writeHeader() writes the pinned bytes", () => {
  const message = new Uint8Array(40);
  writeHeader(message, 3, 0x0102030405, Date.UTC(2026, 0, 1) / 1000, 123_456_789);
  assert.equal(message.toHex(), pinned);
});

test("readMessage() reads the pinned bytes", () => {
  const header = emptyHeader();
  assert.equal(readMessage(Uint8Array.fromHex(pinned), header), undefined);
  assert.deepEqual(header, {
    sender: 3,
    index: 0x0102030405,
    seconds: Date.UTC(2026, 0, 1) / 1000,
    nanoseconds: 123_456_789,
    payloadBytes: 4,
  });
});

test("readMessage() reads what is a view into a larger buffer", () => {
  const buffer = new Uint8Array(100).fill(255);
  buffer.set(Uint8Array.fromHex(pinned), 7);
  const header = emptyHeader();
  assert.equal(readMessage(buffer.subarray(7, 47), header), undefined);
  assert.equal(header.sender, 3);
});

test("readMessage() refuses what is too short, truncated or overlong", () => {
  const header = emptyHeader();
  const whole = Uint8Array.fromHex(pinned);
  for (let length = 0; length < headerBytes; length++) {
    assert.equal(readMessage(whole.subarray(0, length), header), "too_short");
  }
  for (let length = headerBytes; length < whole.length; length++) {
    assert.equal(readMessage(whole.subarray(0, length), header), "truncated");
  }
  assert.equal(readMessage(new Uint8Array([...whole, 0]), header), "overlong");
});

test("readMessage() accepts a message that is only a header", () => {
  const message = new Uint8Array(headerBytes);
  writeHeader(message, 0, 0, 0, 0);
  assert.equal(readMessage(message, emptyHeader()), undefined);
});

test("readMessage() refuses fields that no node writes", () => {
  const header = emptyHeader();
  const message = new Uint8Array(headerBytes);
  writeHeader(message, 0, Number.MAX_SAFE_INTEGER, 1, 999_999_999);
  assert.equal(readMessage(message, header), undefined);
  assert.equal(header.index, Number.MAX_SAFE_INTEGER);
  writeHeader(message, 0, 2 ** 53, 1, 0);
  assert.equal(readMessage(message, header), "bad_field");
  writeHeader(message, 0, 0, 1, 1_000_000_000);
  assert.equal(readMessage(message, header), "bad_field");
  writeHeader(message, 0, 0, 2 ** 60, 0);
  assert.equal(readMessage(message, header), "bad_field");
});

test("readMessage() takes random bytes", () => {
  const header = emptyHeader();
  for (let round = 0; round < 20_000; round++) {
    const message = crypto.getRandomValues(new Uint8Array(Math.floor(Math.random() * 80)));
    const reason = readMessage(message, header);
    assert.ok(reason === undefined || refusalReasons.includes(reason));
    if (message.length < headerBytes) assert.equal(reason, "too_short");
  }
});

test("readMessage() reads back what writeHeader() wrote", () => {
  const header = emptyHeader();
  for (let round = 0; round < 2_000; round++) {
    const message = new Uint8Array(headerBytes + Math.floor(Math.random() * 100));
    const written = {
      sender: Math.floor(Math.random() * 2 ** 40),
      index: Math.floor(Math.random() * 2 ** 53),
      seconds: Math.floor(Math.random() * 2 ** 33),
      nanoseconds: Math.floor(Math.random() * 1e9),
      payloadBytes: message.length - headerBytes,
    };
    writeHeader(message, written.sender, written.index, written.seconds, written.nanoseconds);
    assert.equal(readMessage(message, header), undefined);
    assert.deepEqual(header, written);
  }
});

test("writeHeader() needs room", () => {
  assert.throws(() => writeHeader(new Uint8Array(35), 0, 0, 0, 0), RangeError);
});
