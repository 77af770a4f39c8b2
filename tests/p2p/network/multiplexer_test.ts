import { test } from "bun:test";
import assert from "node:assert/strict";
import type { MultiaddrConnection } from "@libp2p/interface";
import { multiplexer } from "../../../lib/p2p/network/multiplexer.ts";

/** What rust-libp2p takes in one frame. */
const mostFrameBytes = 1024 * 1024;
const headerBytes = 12;
const windowUpdate = 1;

const log = Object.assign(() => {}, {
  error() {},
  trace() {},
  enabled: false,
  newScope: () => log,
});

/** A connection whose other end takes everything, and keeps it. */
class Sink extends EventTarget {
  readonly direction = "outbound";
  readonly log = log;
  readonly sent: Uint8Array[] = [];
  hasEnded = false;

  get status() {
    return this.hasEnded ? "closed" : "open";
  }

  // What the library's connections have, and nobody needs here.
  onData(): void {}
  safeDispatchEvent(): boolean {
    return true;
  }
  listenerCount(): number {
    return 1;
  }

  send(bytes: { subarray(): Uint8Array }): boolean {
    if (this.hasEnded) throw new Error("the connection has ended");
    this.sent.push(bytes.subarray());
    return true;
  }

  receive(data: Uint8Array): void {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
}

/** All writes of this turn of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

test("multiplexer() sends no frame longer than peers of other libraries take", async () => {
  const sink = new Sink();
  const muxer = multiplexer({ enableKeepAlive: false })().createStreamMuxer(
    sink as unknown as MultiaddrConnection,
  );
  const stream = await muxer.createStream();
  await Promise.resolve();
  const id = (stream as unknown as { streamId: number }).streamId;
  // The peer opens a window of 16 MiB.
  const update = new DataView(new ArrayBuffer(headerBytes));
  update.setUint8(1, windowUpdate);
  update.setUint32(4, id);
  update.setUint32(8, 16 * 1024 * 1024);
  sink.receive(new Uint8Array(update.buffer));

  const message = new Uint8Array(4 * 1024 * 1024 + 5).map((_, index) => index % 251);
  stream.send(message);
  await turn();
  const wire = new Uint8Array(Buffer.concat(sink.sent));
  const view = new DataView(wire.buffer);
  const bodies: Uint8Array[] = [];
  const flags: number[] = [];
  for (let at = 0; at < wire.byteLength;) {
    const [type, flag, length] = [
      view.getUint8(at + 1),
      view.getUint16(at + 2),
      view.getUint32(at + 8),
    ];
    assert.equal(view.getUint32(at + 4), id);
    at += headerBytes;
    flags.push(flag);
    if (type === windowUpdate) continue;
    assert.ok(length <= mostFrameBytes, `a frame of ${length} bytes`);
    bodies.push(wire.subarray(at, at + length));
    at += length;
  }
  assert.deepEqual(Buffer.concat(bodies), Buffer.from(message));
  // Opened once.
  assert.deepEqual(flags.filter((flag) => flag !== 0), [1]);
});

test("multiplexer() lets a stream be opened whose connection ends meanwhile", async () => {
  const sink = new Sink();
  const muxer = multiplexer({ enableKeepAlive: false })().createStreamMuxer(
    sink as unknown as MultiaddrConnection,
  );
  const opened = muxer.createStream();
  sink.hasEnded = true;
  const stream = await opened;
  // An exception in a microtask of the library would fail this test here.
  await Bun.sleep(1);
  assert.throws(() => stream.send(new Uint8Array(10)), /the connection has ended/);
});

test("multiplexer() writes all frames of a turn at once, and the last ones before the end", async () => {
  const sink = new Sink();
  const muxer = multiplexer({ enableKeepAlive: false })().createStreamMuxer(
    sink as unknown as MultiaddrConnection,
  );
  const streams = [await muxer.createStream(), await muxer.createStream()];
  for (const stream of streams) {
    stream.send(new Uint8Array(10));
    await stream.close();
  }
  await turn();
  assert.equal(sink.sent.length, 1);
  // Each is opened, says ten bytes, and is closed.
  assert.equal(sink.sent[0]?.byteLength, 2 * (3 * headerBytes + 10));
  // More than one frame of noise carries does not wait.
  streams.push(await muxer.createStream());
  streams[2]?.send(new Uint8Array(100_000));
  assert.equal(sink.sent.length, 2);
  const last = await muxer.createStream();
  last.send(new Uint8Array(20));
  muxer.abort(new Error("the test ends it"));
  assert.equal(sink.sent.length, 3);
});
