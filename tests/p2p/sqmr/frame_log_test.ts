import { test } from "bun:test";
import assert from "node:assert/strict";
import { FrameLog } from "../../../lib/p2p/sqmr/frame_log.ts";
import { ResponseDecoder } from "../../../lib/p2p/sqmr/framing.ts";
import { message } from "./peers.ts";

test("FrameLog tells once of each message how many readers took it", () => {
  const done: [token: number, readers: number][] = [];
  const log = new FrameLog((token, readers) => done.push([token, readers]));
  for (let token = 0; token < 4; token++) log.append(message(10, token), 10 + token, 2);
  assert.equal(log.unfinished, 4);
  log.release(0, 3, true);
  assert.deepEqual(done, []);
  log.release(0, 2, false);
  log.release(2, 3, true);
  assert.deepEqual(done, [[10, 1], [11, 1], [12, 2]]);
  assert.equal(log.unfinished, 1);
  log.release(3, 4, false);
  log.release(3, 4, false);
  assert.deepEqual(done.at(-1), [13, 0]);
  assert.equal(log.unfinished, 0);
  assert.throws(() => log.bytes(0, 1), RangeError);
});

test("FrameLog keeps frames of every size in order while it grows and forgets", () => {
  const log = new FrameLog(() => {});
  const received: number[] = [];
  let number = 0;
  const decoder = new ResponseDecoder((bytes) => {
    const size = [0, 1, 127, 128, 5_000, 270_000][number % 6] ?? 0;
    assert.ok(Buffer.from(bytes).equals(message(size, number)), `${number}`);
    received.push(number++);
  });
  let taken = 0;
  let appended = 0;
  // Over 256 wait at times, so that it grows.
  for (const [append, take] of [[200, 100], [300, 50], [50, 350], [0, 50]]) {
    for (let i = 0; i < (append ?? 0); i++) {
      const size = [0, 1, 127, 128, 5_000, 270_000][appended % 6] ?? 0;
      log.append(message(size, appended), appended, 1);
      appended++;
    }
    const until = taken + (take ?? 0);
    while (taken < until) {
      const frames = log.run(taken, until, 64 * 1024);
      assert.ok(frames >= 1 && taken + frames <= until);
      const bytes = log.bytes(taken, frames);
      assert.ok(frames === 1 || bytes.length <= 64 * 1024);
      decoder.push(bytes);
      log.release(taken, taken + frames, true);
      taken += frames;
    }
  }
  assert.equal(taken, appended);
  assert.deepEqual(received, Array.from({ length: appended }, (_, i) => i));
  assert.equal(log.unfinished, 0);
});

test("FrameLog counts the bytes that lie before a frame", () => {
  const log = new FrameLog(() => {});
  for (const size of [100, 200, 0]) log.append(new Uint8Array(size), 0, 1);
  assert.deepEqual([0, 1, 2, 3].map((frame) => log.bytesBefore(frame)), [0, 101, 303, 304]);
});

test("FrameLog's copy outlives the bytes that it was given", () => {
  const log = new FrameLog(() => {});
  const bytes = message(20, 1);
  log.append(bytes, 0, 1);
  bytes.fill(0);
  assert.deepEqual(log.bytes(0, 1), Uint8Array.of(20, ...message(20, 1)));
});
