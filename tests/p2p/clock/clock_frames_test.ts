import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  answerBytes,
  encodeAnswer,
  encodeRequest,
  FrameCutter,
  requestBytes,
} from "../../../lib/p2p/clock/clock_frames.ts";

const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("encodeRequest() and encodeAnswer() write pinned bytes", () => {
  assert.equal(hexOf(encodeRequest(0xdeadbeef)), "deadbeef");
  const answer = encodeAnswer(7, 1_790_000_000_123_456_789n, 1_790_000_000_123_456_790n);
  assert.equal(hexOf(answer), "00000007" + "18d75b842b4ecd15" + "18d75b842b4ecd16");
  assert.deepEqual([encodeRequest(0).length, answer.length], [requestBytes, answerBytes]);
});

test("FrameCutter gives the same frames for any cut of a stream", () => {
  const stream = Uint8Array.from({ length: 4 * 7 + 3 }, (_, i) => i);
  for (let size = 1; size <= stream.length; size++) {
    const frames: number[] = [];
    const cutter = new FrameCutter(4, (frame) => frames.push(frame.getUint32(0)));
    for (let at = 0; at < stream.length; at += size) cutter.push(stream.subarray(at, at + size));
    assert.deepEqual(frames.length, 7);
    assert.deepEqual(frames[1], 0x04050607);
  }
});
