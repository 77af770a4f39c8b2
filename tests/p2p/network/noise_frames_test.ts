import { test } from "bun:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Uint8ArrayList } from "../../../lib/p2p/network/bytes.ts";
import { NoiseFrames } from "../../../lib/p2p/network/noise_frames.ts";
import { seededRandom } from "../../stats/seeded_random.ts";

function framed(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(bytes.byteLength >>> 8, bytes.byteLength & 0xff), bytes]);
}

const sizes = [16, 1, 1_200, 65_535, 255, 256, 17, 40_000];
const bodies = sizes.map((size) => randomBytes(size));
const wire = Buffer.concat(bodies.map(framed));

test("decode() gives the same frames for any cut of a connection", () => {
  const random = seededRandom(1);
  for (const most of [1, 2, 3, 700, 1_500, 66_000, wire.byteLength]) {
    const decoder = new NoiseFrames();
    const frames: Uint8Array[] = [];
    for (let at = 0; at < wire.byteLength;) {
      const end = at + 1 + Math.floor(random() * most);
      // They are decrypted in place: what has been handed out must not be read again.
      const piece = Buffer.from(wire.subarray(at, end));
      for (const frame of decoder.decode(at % 2 === 0 ? piece : new Uint8ArrayList(piece))) {
        frames.push(Uint8Array.from(frame));
        frame.fill(0xff);
      }
      at = end;
    }
    assert.equal(frames.length, bodies.length);
    for (const [index, body] of bodies.entries()) assert.ok(body.equals(frames[index]!));
  }
});

test("decode() passes over empty frames, and goes on with what had come before", () => {
  const decoder = new NoiseFrames(new Uint8ArrayList(Uint8Array.of(0), Uint8Array.of(3, 1)));
  assert.deepEqual(decoder.decode(Uint8Array.of(2)), []);
  const frames = decoder.decode(Uint8Array.of(3, 0, 0, 0, 1, 9, 0));
  assert.deepEqual(frames.map((frame) => [...frame]), [[1, 2, 3], [9]]);
  assert.deepEqual(decoder.decode(Uint8Array.of(1, 5)).map((frame) => [...frame]), [[5]]);
});
