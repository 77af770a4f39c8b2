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
  readonly status = "open";
  readonly log = log;
  readonly sent: Uint8Array[] = [];
  hasEnded = false;

  send(bytes: { subarray(): Uint8Array }): boolean {
    if (this.hasEnded) throw new Error("the connection has ended");
    this.sent.push(bytes.subarray());
    return true;
  }

  receive(data: Uint8Array): void {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
}

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
