import { test } from "bun:test";
import assert from "node:assert/strict";
import { closedByPeer, closePayload, isCloseCode } from "../../lib/transport/websocket_close.ts";
import { FrameEncoder, maskedFrameBytes, opcodes } from "../../lib/transport/websocket_frames.ts";
import { seededRandom } from "../stats/seeded_random.ts";
import { randomBytes, readFrames } from "./websocket_reference.ts";

const lengths = [0, 1, 2, 3, 4, 5, 64, 95, 96, 97, 98, 99, 100, 125, 126, 127, 1000, 65535, 65536];

test("FrameEncoder.append() writes masked frames that the reference reads back", () => {
  const random = seededRandom(1);
  const encoder = new FrameEncoder(64);
  for (const length of lengths) {
    // Every alignment of source and target.
    for (let shift = 0; shift < 4; shift++) {
      const source = randomBytes(length + shift, random);
      encoder.clear();
      encoder.append(opcodes.ping, source, 0, shift);
      encoder.append(opcodes.binary, source, shift, length);
      encoder.append(opcodes.text, source, shift, length);
      assert.equal(
        encoder.length,
        maskedFrameBytes(shift) + 2 * maskedFrameBytes(length),
        `size of ${length} bytes`,
      );
      const { frames, rest } = readFrames(encoder.bytes.subarray(0, encoder.length));
      assert.equal(rest.length, 0);
      assert.deepEqual(frames.map((frame) => frame.opcode), [
        opcodes.ping,
        opcodes.binary,
        opcodes.text,
      ]);
      for (const frame of frames) {
        assert.ok(frame.isFinal);
        assert.equal(frame.reservedBits, 0);
        assert.ok(frame.key !== undefined);
      }
      const payload = Buffer.from(source.subarray(shift));
      assert.ok(payload.equals(frames[1]!.payload), `${length} bytes behind ${shift}`);
      assert.ok(payload.equals(frames[2]!.payload), `${length} bytes behind ${shift}`);
    }
  }
});

test("FrameEncoder.append() masks every frame with a key of its own", () => {
  const encoder = new FrameEncoder(64);
  const message = new Uint8Array(8);
  for (let i = 0; i < 2000; i++) encoder.append(opcodes.binary, message, 0, message.length);
  const { frames } = readFrames(encoder.bytes.subarray(0, encoder.length));
  assert.equal(frames.length, 2000);
  const keys = new Set(frames.map((frame) => Buffer.from(frame.key!).toString("hex")));
  assert.equal(keys.size, 2000);
});

test("FrameEncoder.append() writes what RFC 6455 5.7 shows, up to the key", () => {
  const encoder = new FrameEncoder(64);
  encoder.append(opcodes.text, new TextEncoder().encode("Hello"), 0, 5);
  const bytes = encoder.bytes.subarray(0, encoder.length);
  assert.deepEqual([...bytes.subarray(0, 2)], [0x81, 0x85]);
  const hello = [0x48, 0x65, 0x6c, 0x6c, 0x6f];
  assert.deepEqual(hello.map((byte, i) => byte ^ bytes[2 + i % 4]!), [...bytes.subarray(6)]);
});

test("isCloseCode() accepts the codes that may be sent", () => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999]) {
    assert.ok(isCloseCode(code), `${code}`);
  }
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535]) {
    assert.ok(!isCloseCode(code), `${code}`);
  }
});

test("closePayload() cuts a reason that does not fit, between characters", () => {
  assert.deepEqual([...closePayload(1000, "")], [3, 232]);
  assert.deepEqual([...closePayload(1001, "x")], [3, 233, 120]);
  const long = closePayload(1000, "é".repeat(100));
  assert.equal(long.length, 2 + 122);
  assert.equal(new TextDecoder("utf-8", { fatal: true }).decode(long.subarray(2)), "é".repeat(61));
});

test("closedByPeer() names code and reason in one line, and is shared", () => {
  const failure = closedByPeer("server", 1001, "going\r\naway\x00");
  assert.equal(failure.kind, "closed-by-peer");
  assert.equal(failure.detail, "the server sent a close frame 1001 going away");
  assert.equal(closedByPeer("server", 1001, "going\r\naway\x00"), failure);
  assert.equal(
    closedByPeer("client", 1005, "").detail,
    "the client sent a close frame without a code",
  );
});
