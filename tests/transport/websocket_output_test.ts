import { test } from "bun:test";
import assert from "node:assert/strict";
import type { Connections } from "../../lib/transport/transport.ts";
import { opcodes } from "../../lib/transport/websocket_frames.ts";
import { FrameOutput } from "../../lib/transport/websocket_output.ts";
import { seededRandom } from "../stats/seeded_random.ts";
import { randomBytes, readFrames } from "./websocket_reference.ts";

/** A stream that takes as many bytes as it is told to. */
class Stream implements Connections {
  readonly taken: Uint8Array[] = [];
  room = Infinity;
  writes = 0;

  send(_id: number, bytes: Uint8Array, offset: number, length: number): number {
    const count = Math.min(length, this.room);
    this.room -= count;
    this.writes++;
    this.taken.push(bytes.slice(offset, offset + count));
    return count;
  }
  pause(): void {}
  resume(): void {}
  finish(): void {}
  close(): void {}
  terminate(): void {}

  get bytes(): Uint8Array {
    return Buffer.concat(this.taken);
  }
}

function attached(): { stream: Stream; output: FrameOutput } {
  const stream = new Stream();
  const output = new FrameOutput(stream, 1);
  output.attach(0);
  return { stream, output };
}

test("FrameOutput.send() puts many messages into one write", () => {
  const { stream, output } = attached();
  const bytes = randomBytes(6400, seededRandom(1));
  assert.equal(output.send(0, bytes, 0, bytes.length, 64, opcodes.binary), bytes.length);
  assert.equal(stream.writes, 1);
  const { frames } = readFrames(stream.bytes);
  assert.equal(frames.length, 100);
  assert.ok(Buffer.concat(frames.map((frame) => frame.payload)).equals(bytes));
});

test("FrameOutput.send() sends a message larger than its buffer, and an empty one", () => {
  const { stream, output } = attached();
  const large = randomBytes(300_000, seededRandom(2));
  assert.equal(output.send(0, large, 0, large.length, large.length, opcodes.text), large.length);
  assert.equal(output.send(0, large, 5, 0, 0, opcodes.binary), 0);
  const { frames, rest } = readFrames(stream.bytes);
  assert.equal(rest.length, 0);
  assert.deepEqual(frames.map((frame) => [frame.opcode, frame.payload.length]), [
    [opcodes.text, large.length],
    [opcodes.binary, 0],
  ]);
  assert.ok(Buffer.from(large).equals(frames[0]!.payload));
});

test("FrameOutput.send() accepts whole messages, wherever the stream stops", () => {
  const message = randomBytes(50 * 5, seededRandom(3));
  const frameBytes = 56;
  for (let room = 0; room <= 5 * frameBytes; room++) {
    const { stream, output } = attached();
    stream.room = room;
    const accepted = output.send(0, message, 0, message.length, 50, opcodes.binary);
    assert.equal(accepted, Math.min(5, Math.ceil(room / frameBytes)) * 50, `room for ${room}`);
    const isShort = accepted < message.length;
    // Nothing more until the stream drains.
    if (room < 5 * frameBytes) {
      stream.room = Infinity;
      assert.equal(output.send(0, message, 0, 50, 50, opcodes.binary), 0);
      assert.equal(stream.bytes.length, room);
      assert.equal(output.drained(0), true);
      assert.equal(output.takeOwed(0), true);
    } else {
      assert.equal(isShort, false);
      assert.equal(output.takeOwed(0), false);
    }
    const { frames, rest } = readFrames(stream.bytes);
    assert.equal(rest.length, 0, "the frame that was begun is complete");
    assert.ok(
      Buffer.concat(frames.map((frame) => frame.payload)).equals(message.subarray(0, accepted)),
    );
  }
});

test("FrameOutput owes no drain for a message that was accepted and only held", () => {
  const { stream, output } = attached();
  stream.room = 10;
  assert.equal(output.send(0, new Uint8Array(50), 0, 50, 50, opcodes.binary), 50);
  stream.room = 20;
  assert.equal(output.drained(0), false);
  assert.equal(stream.bytes.length, 30);
  stream.room = Infinity;
  assert.equal(output.drained(0), true);
  assert.equal(output.takeOwed(0), false);
  assert.equal(readFrames(stream.bytes).frames.length, 1);
});

test("FrameOutput keeps the order of messages and control frames under random backpressure", () => {
  const random = seededRandom(4);
  for (let round = 0; round < 200; round++) {
    const { stream, output } = attached();
    const expected: string[] = [];
    const hex = (opcode: number, bytes: Uint8Array) =>
      `${opcode} ${Buffer.from(bytes).toString("hex")}`;
    for (let step = 0; step < 50; step++) {
      stream.room = random() < 0.3 ? Infinity : Math.floor(random() * 300);
      if (random() < 0.5) output.drained(0);
      if (random() < 0.3) {
        const payload = randomBytes(Math.floor(random() * 20), random);
        // Where the stream is blocked only the last pong has to come, and then later than here.
        if (output.isBlocked(0)) continue;
        output.pong(0, payload);
        expected.push(hex(opcodes.pong, payload));
      } else {
        const messageBytes = 1 + Math.floor(random() * 150);
        const bytes = randomBytes(messageBytes * Math.floor(1 + random() * 5), random);
        const accepted = output.send(0, bytes, 0, bytes.length, messageBytes, opcodes.binary);
        assert.equal(accepted % messageBytes, 0);
        for (let at = 0; at < accepted; at += messageBytes) {
          expected.push(hex(opcodes.binary, bytes.subarray(at, at + messageBytes)));
        }
      }
    }
    stream.room = Infinity;
    output.drained(0);
    const { frames, rest } = readFrames(stream.bytes);
    assert.equal(rest.length, 0);
    assert.deepEqual(frames.map((frame) => hex(frame.opcode, frame.payload)), expected);
  }
});

test("FrameOutput.pong() keeps only the last answer while the stream is blocked", () => {
  const { stream, output } = attached();
  stream.room = 10;
  output.send(0, new Uint8Array(500), 0, 500, 50, opcodes.binary);
  for (const text of ["one", "two", "three"]) output.pong(0, new TextEncoder().encode(text));
  stream.room = Infinity;
  assert.equal(output.drained(0), true);
  const { frames } = readFrames(stream.bytes);
  assert.deepEqual(frames.map((frame) => frame.opcode), [opcodes.binary, opcodes.pong]);
  assert.equal(Buffer.from(frames[1]!.payload).toString(), "three");
});

test("FrameOutput.close() comes behind what was accepted, and nothing after it", () => {
  const { stream, output } = attached();
  stream.room = 10;
  assert.equal(output.send(0, new Uint8Array(500), 0, 500, 50, opcodes.binary), 50);
  output.pong(0, new Uint8Array(3));
  output.close(0, new Uint8Array(2));
  stream.room = Infinity;
  assert.equal(output.drained(0), true);
  const { frames } = readFrames(stream.bytes);
  assert.deepEqual(frames.map((frame) => frame.opcode), [opcodes.binary, opcodes.close]);
});

test("FrameOutput.detach() forgets what was held", () => {
  const { stream, output } = attached();
  stream.room = 3;
  output.send(0, new Uint8Array(500), 0, 500, 50, opcodes.binary);
  output.detach(0);
  stream.room = Infinity;
  assert.equal(output.send(0, new Uint8Array(50), 0, 50, 50, opcodes.binary), 0);
  output.pong(0, new Uint8Array(1));
  output.close(0, new Uint8Array(2));
  output.drained(0);
  assert.equal(stream.bytes.length, 3);
});
