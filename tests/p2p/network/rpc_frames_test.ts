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
    const read: Uint8Array[] = [];
    const frames = new RpcFrames(mostBytes, (rpc) => read.push(rpc));
    for (let at = 0; at < wire.byteLength;) {
      const end = at + 1 + Math.floor(random() * most);
      frames.push(wire.subarray(at, end));
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
    let count = 0;
    const frames = new RpcFrames(mostBytes, () => count++);
    frames.push(wire.subarray(0, end));
    assert.deepEqual([frames.isComplete, count], [false, 0]);
    frames.push(wire.subarray(end));
    assert.deepEqual([frames.isComplete, count], [true, 1]);
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
    const read: number[][] = [];
    const all = new RpcFrames(mostBytes, (rpc) => read.push([...rpc]));
    assert.throws(
      () => all.push(Buffer.concat([Uint8Array.of(2, 7, 8), bytes])),
      MalformedStreamError,
    );
    assert.deepEqual(read, [[7, 8]], "what comes before it");
    const frames = new RpcFrames(mostBytes, () => assert.fail("there is none"));
    assert.throws(() => {
      for (const byte of bytes) frames.push(Uint8Array.of(byte));
    }, MalformedStreamError);
  }
});

test("push() of nonsense gives RPCs within the bound, or refuses it", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 2_000; round++) {
    const frames = new RpcFrames(64, (rpc) => assert.ok(rpc.byteLength <= 64));
    const bytes = Uint8Array.from({ length: 100 }, () => Math.floor(random() * 256));
    try {
      frames.push(bytes);
    } catch (error) {
      assert.ok(error instanceof MalformedStreamError);
    }
  }
});
