import { test } from "bun:test";
import assert from "node:assert/strict";
import { FrameParser, type FrameReceiver } from "../../lib/transport/websocket_frame_parser.ts";
import { seededRandom } from "../stats/seeded_random.ts";
import { frame, randomBytes } from "./websocket_reference.ts";

type Event =
  | { type: "message"; payload: string; isText: boolean }
  | { type: "ping"; payload: string }
  | { type: "close"; code: number; reason: string }
  | { type: "violation"; code: number; detail: string };

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

class Events implements FrameReceiver {
  readonly list: Event[] = [];
  /** Called for every event, to do what a receiver may do. */
  then: (event: Event, payload?: Uint8Array) => void = () => {};

  message(_id: number, payload: Uint8Array, isText: boolean): void {
    this.#add({ type: "message", payload: hex(payload), isText }, payload);
  }
  ping(_id: number, payload: Uint8Array): void {
    this.#add({ type: "ping", payload: hex(payload) });
  }
  closeFrame(_id: number, code: number, reason: string): void {
    this.#add({ type: "close", code, reason });
  }
  violation(_id: number, code: number, detail: string): void {
    this.#add({ type: "violation", code, detail });
  }
  #add(event: Event, payload?: Uint8Array): void {
    this.list.push(event);
    this.then(event, payload);
  }
}

function parse(chunks: readonly Uint8Array[], maxMessageBytes = 1 << 20): Event[] {
  const events = new Events();
  const parser = new FrameParser(3, maxMessageBytes, events);
  for (const chunk of chunks) parser.receive(1, chunk);
  return events.list;
}

/** A stream of random messages with all that may lie between them, and the events it stands for. */
function randomStream(random: () => number): { bytes: Uint8Array; events: Event[] } {
  const frames: Uint8Array[] = [];
  const events: Event[] = [];
  const control = () => {
    const payload = randomBytes(Math.floor(random() * 20), random);
    const isPing = random() < 0.5;
    frames.push(frame(isPing ? 9 : 10, payload));
    if (isPing) events.push({ type: "ping", payload: hex(payload) });
  };
  for (let messages = 1 + Math.floor(random() * 4); messages > 0; messages--) {
    if (random() < 0.3) control();
    const isText = random() < 0.5;
    const lengths = [0, 1, 125, 126, 200, 300];
    const size = lengths[Math.floor(random() * lengths.length)]!;
    const payload = isText
      ? Buffer.from("añ€😀".repeat(Math.ceil(size / 10)))
      : randomBytes(size, random);
    const pieces = 1 + Math.floor(random() * 4);
    for (let i = 0, at = 0; i < pieces; i++) {
      const isFinal = i === pieces - 1;
      const end = isFinal ? payload.length : at + Math.floor(random() * (payload.length - at + 1));
      frames.push(frame(i > 0 ? 0 : isText ? 1 : 2, payload.subarray(at, end), { isFinal }));
      at = end;
      if (!isFinal && random() < 0.5) control();
    }
    events.push({ type: "message", payload: hex(payload), isText });
  }
  if (random() < 0.3) {
    frames.push(frame(8, Buffer.concat([Buffer.from([0x03, 0xe9]), Buffer.from("bÿe")])));
    events.push({ type: "close", code: 1001, reason: "bÿe" });
  }
  return { bytes: Buffer.concat(frames), events };
}

test("FrameParser.receive() finds the same, wherever the stream is split", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 40; round++) {
    const { bytes, events } = randomStream(random);
    assert.deepEqual(parse([bytes]), events, `round ${round}, whole`);
    for (let at = 0; at <= bytes.length; at++) {
      const chunks = [bytes.subarray(0, at), bytes.subarray(at)];
      assert.deepEqual(parse(chunks), events, `round ${round}, split at ${at}`);
    }
    const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
    assert.deepEqual(parse(single), events, `round ${round}, byte by byte`);
  }
});

test("FrameParser.receive() keeps connections apart", () => {
  const random = seededRandom(8);
  const streams = [0, 1, 2].map(() => randomStream(random));
  const received: Event[][] = [[], [], []];
  const receiver: FrameReceiver = {
    message: (id, payload, isText) =>
      received[id]!.push({ type: "message", payload: hex(payload), isText }),
    ping: (id, payload) => received[id]!.push({ type: "ping", payload: hex(payload) }),
    closeFrame: (id, code, reason) => received[id]!.push({ type: "close", code, reason }),
    violation: (id, code, detail) => received[id]!.push({ type: "violation", code, detail }),
  };
  const parser = new FrameParser(3, 1 << 20, receiver);
  const longest = Math.max(...streams.map((stream) => stream.bytes.length));
  for (let at = 0; at < longest; at++) {
    streams.forEach(({ bytes }, id) => parser.receive(id, bytes.subarray(at, at + 1)));
  }
  streams.forEach(({ events }, id) => assert.deepEqual(received[id], events));
});

test("FrameParser.receive() passes a message that is whole in a chunk without a copy", () => {
  const events = new Events();
  let passed: Uint8Array | undefined;
  events.then = (_event, payload) => passed = payload;
  const chunk = frame(2, randomBytes(500, seededRandom(9)));
  new FrameParser(1, 1000, events).receive(0, chunk);
  assert.equal(passed?.buffer, chunk.buffer);
});

test("FrameParser.receive() assembles large messages from many chunks", () => {
  const random = seededRandom(10);
  const payload = Buffer.alloc(3_000_000, randomBytes(9973, random));
  const bytes = frame(2, payload);
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = Math.min(bytes.length, at + 1 + Math.floor(random() * 100_000));
    chunks.push(bytes.subarray(at, end));
    at = end;
  }
  const [event] = parse(chunks, payload.length);
  assert.ok(event?.type === "message" && event.payload === hex(payload));
});

test("FrameParser.receive() assembles ten thousand fragments", () => {
  const fragments = Array.from({ length: 10_000 }, (_, i) => {
    return frame(i === 0 ? 2 : 0, "x", { isFinal: i === 9999 });
  });
  const [event] = parse([Buffer.concat(fragments)]);
  assert.ok(event?.type === "message" && event.payload === "78".repeat(10_000));
});

const key = [1, 2, 3, 4] as const;
const close = (code: number, reason: Uint8Array | string = "") =>
  frame(8, Buffer.concat([Buffer.from([code >>> 8, code & 255]), Buffer.from(reason)]));

const violations: [name: string, bytes: Uint8Array, code: number, detail: RegExp][] = [
  ["a masked frame", frame(2, "x", { key }), 1002, /masked/],
  ["RSV1", frame(2, "x", { reservedBits: 0x40 }), 1002, /reserved bit/],
  ["RSV2", frame(1, "x", { reservedBits: 0x20 }), 1002, /reserved bit/],
  ["RSV3", frame(9, "x", { reservedBits: 0x10 }), 1002, /reserved bit/],
  ["opcode 3", frame(3, "x"), 1002, /opcode 3/],
  ["opcode 7", frame(7, "x"), 1002, /opcode 7/],
  ["opcode 11", frame(11, "x"), 1002, /opcode 11/],
  ["opcode 15", frame(15, "x"), 1002, /opcode 15/],
  ["a fragmented ping", frame(9, "x", { isFinal: false }), 1002, /fragmented control/],
  ["a ping of 126 bytes", frame(9, "x".repeat(126)), 1002, /126 bytes/],
  ["a length in 16 bits for no reason", frame(2, "x", { lengthBytes: 2 }), 1002, /shortest/],
  ["a length in 64 bits for no reason", frame(2, "x", { lengthBytes: 8 }), 1002, /shortest/],
  ["the top bit of a length", frame(2, "", { claimedLength: 1n << 63n }), 1002, /2\^53/],
  ["a continuation of nothing", frame(0, "x"), 1002, /continu/],
  [
    "a message in a message",
    Buffer.concat([frame(1, "x", { isFinal: false }), frame(1, "y")]),
    1002,
    /inside/,
  ],
  ["a message too long", frame(2, "", { claimedLength: 1001n }), 1009, /1001 bytes.*1000/],
  ["a message of 2^52 bytes", frame(2, "", { claimedLength: 1n << 52n }), 1009, /1000/],
  [
    "fragments too long together",
    Buffer.concat([frame(2, "x".repeat(600), { isFinal: false }), frame(0, "x".repeat(401))]),
    1009,
    /1001 bytes.*1000/,
  ],
  ["text that is not UTF-8", frame(1, Uint8Array.of(0x61, 0xff)), 1007, /UTF-8/],
  ["text cut inside a character", frame(1, Uint8Array.of(0xe2, 0x82)), 1007, /UTF-8/],
  ["a surrogate in text", frame(1, Uint8Array.of(0xed, 0xa0, 0x80)), 1007, /UTF-8/],
  [
    "fragmented text that is not UTF-8",
    Buffer.concat([frame(1, Uint8Array.of(0xe2), { isFinal: false }), frame(0, "x")]),
    1007,
    /UTF-8/,
  ],
  ["a close frame of 1 byte", frame(8, "x"), 1002, /half a code/],
  ["close code 999", close(999), 1002, /999/],
  ["close code 1005", close(1005), 1002, /1005/],
  ["close code 5000", close(5000), 1002, /5000/],
  ["a reason that is not UTF-8", close(1000, Uint8Array.of(0xff)), 1007, /UTF-8/],
];

test("FrameParser.receive() refuses what RFC 6455 forbids, with its code", () => {
  for (const [name, bytes, code, detail] of violations) {
    const good = frame(2, "before");
    // What follows a violation is not looked at.
    const after = frame(2, "after");
    const whole = parse([Buffer.concat([good, bytes, after])], 1000);
    const single = parse([...good, ...bytes, ...after].map((byte) => Uint8Array.of(byte)), 1000);
    for (const events of [whole, single]) {
      assert.equal(events.length, 2, name);
      const last = events[1]!;
      assert.equal(last.type, "violation", name);
      assert.ok(last.type === "violation" && last.code === code, name);
      assert.match(last.detail, detail, name);
    }
  }
});

test("FrameParser.receive() accepts what is only just allowed", () => {
  assert.deepEqual(parse([frame(2, "x".repeat(1000))], 1000).map((event) => event.type), [
    "message",
  ]);
  assert.deepEqual(parse([frame(9, "x".repeat(125))]).map((event) => event.type), ["ping"]);
  assert.deepEqual(parse([frame(8, "")]), [{ type: "close", code: 1005, reason: "" }]);
  assert.deepEqual(parse([close(4999, "ok")]), [{ type: "close", code: 4999, reason: "ok" }]);
  const inCharacter = [
    frame(1, Uint8Array.of(0xe2), { isFinal: false }),
    frame(0, Uint8Array.of(0x82, 0xac)),
  ];
  assert.deepEqual(parse(inCharacter), [{ type: "message", payload: "e282ac", isText: true }]);
});

test("FrameParser.receive() stops at once when the receiver resets the connection", () => {
  const events = new Events();
  const parser = new FrameParser(1, 1000, events);
  events.then = () => parser.reset(0);
  const two = Buffer.concat([frame(2, "one"), frame(2, "two")]);
  parser.receive(0, two);
  assert.equal(events.list.length, 1);
  // The id begins again at a frame boundary, even in the middle of a message before.
  events.then = () => {};
  parser.receive(0, frame(2, "three", { isFinal: false }).subarray(0, 4));
  parser.reset(0);
  parser.receive(0, frame(1, "four"));
  assert.deepEqual(events.list.slice(1), [{
    type: "message",
    payload: hex(Buffer.from("four")),
    isText: true,
  }]);
});

test("FrameParser.receive() never throws, whatever comes, and reports one end at most", () => {
  const random = seededRandom(11);
  for (let round = 0; round < 3000; round++) {
    const bytes = round % 2 === 0
      ? randomBytes(1 + Math.floor(random() * 300), random)
      : mutated(randomStream(random).bytes, random);
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + 1 + Math.floor(random() * 60));
      chunks.push(bytes.subarray(at, end));
      at = end;
    }
    const split = parse(chunks, 4096);
    assert.deepEqual(split, parse([bytes], 4096), `round ${round}`);
    const ends = split.filter((event) => event.type === "close" || event.type === "violation");
    assert.ok(ends.length <= 1);
    if (ends.length === 1) assert.equal(split.at(-1), ends[0]);
  }
});

/** A good stream, cut off somewhere or with some bytes changed. */
function mutated(bytes: Uint8Array, random: () => number): Uint8Array {
  const copy = bytes.slice(0, 1 + Math.floor(random() * bytes.length));
  for (let changes = Math.floor(random() * 3); changes > 0; changes--) {
    copy[Math.floor(random() * copy.length)] = random() * 256;
  }
  return copy;
}
