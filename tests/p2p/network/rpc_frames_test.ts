import { test } from "bun:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { RpcFrames } from "../../../lib/p2p/network/rpc_frames.ts";
import { MalformedStreamError } from "../../../lib/p2p/network/stream_reader.ts";
import { seededRandom } from "../../stats/seeded_random.ts";

const mostBytes = 300_000;

function framed(bytes: Uint8Array): Uint8Array {
  const length: number[] = [];
  let left = bytes.byteLength;
  for (; left >= 0x80; left >>>= 7) length.push((left & 0x7f) | 0x80);
  return Buffer.concat([Uint8Array.of(...length, left), bytes]);
}

test("push() gives the same RPCs for any cut of a stream", () => {
  const bodies = [0, 1, 127, 128, 1_100, 16_383, 16_384, mostBytes, 5].map((size) =>
    randomBytes(size)
  );
  const wire = Buffer.concat(bodies.map(framed));
  const random = seededRandom(2);
  for (const most of [1, 2, 5, 1_500, 65_536, wire.byteLength]) {
    const frames = new RpcFrames(mostBytes);
    const read: Uint8Array[] = [];
    for (let at = 0; at < wire.byteLength;) {
      const end = at + 1 + Math.floor(random() * most);
      read.push(...frames.push(wire.subarray(at, end)));
      at = end;
      if (at >= wire.byteLength) assert.ok(frames.isComplete);
    }
    assert.equal(read.length, bodies.length);
    for (const [index, body] of bodies.entries()) assert.ok(body.equals(read[index]!));
  }
});

test("push() knows that an RPC is not whole", () => {
  const wire = framed(randomBytes(200));
  for (let end = 1; end < wire.byteLength; end++) {
    const frames = new RpcFrames(mostBytes);
    assert.deepEqual(frames.push(wire.subarray(0, end)), []);
    assert.equal(frames.isComplete, false);
    assert.equal(frames.push(wire.subarray(end)).length, 1);
    assert.equal(frames.isComplete, true);
  }
});

test("push() refuses lengths beyond the bound, in one piece or in many", () => {
  const tooLong = [
    framed(new Uint8Array(mostBytes + 1)).subarray(0, 10),
    Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07),
    new Uint8Array(20).fill(0xff),
    new Uint8Array(20).fill(0x80),
  ];
  for (const bytes of tooLong) {
    assert.throws(() => new RpcFrames(mostBytes).push(bytes), MalformedStreamError);
    const frames = new RpcFrames(mostBytes);
    assert.throws(() => {
      for (const byte of bytes) frames.push(Uint8Array.of(byte));
    }, MalformedStreamError);
  }
});

test("push() of nonsense gives RPCs within the bound, or refuses it", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 2_000; round++) {
    const frames = new RpcFrames(64);
    const bytes = Uint8Array.from({ length: 100 }, () => Math.floor(random() * 256));
    try {
      for (const frame of frames.push(bytes)) assert.ok(frame.byteLength <= 64);
    } catch (error) {
      assert.ok(error instanceof MalformedStreamError);
    }
  }
});
