import { test } from "bun:test";
import assert from "node:assert/strict";
import { until } from "./recorder.ts";
import { RawServer } from "./websocket_raw_server.ts";
import { frame } from "./websocket_reference.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const closeFrame = (code: number, reason = "") =>
  frame(8, Buffer.concat([Buffer.from([code >>> 8, code & 255]), Buffer.from(reason)]));
const closeText = (code: number) => `8 ${Buffer.from([code >>> 8, code & 255])}`;

test("WebSocketDialer answers a close frame and reports code and reason", async () => {
  await using server = await RawServer.start();
  const peer = await server.opened(0);
  await peer.write(frame(2, "last"), closeFrame(1001, "going away"), frame(2, "ignored"));
  await until(() => peer.frames.length === 1, "the answer");
  assert.deepEqual(peer.texts, [closeText(1001)]);
  assert.equal(server.client.of(0).isOpen, true, "the server ends the stream first");
  assert.equal(server.dialer.send(0, bytesOf("x"), 0, 1, 1), 0);
  peer.socket.end();
  assert.equal(
    await server.closed(0),
    "closed-by-peer: the server sent a close frame 1001 going away",
  );
  assert.deepEqual(server.client.of(0).chunks.length, 1);

  const bare = await server.opened(1);
  await bare.write(frame(8, ""));
  await until(() => bare.frames.length === 1, "the answer");
  assert.equal(bare.frames[0]!.payload.length, 0);
  bare.socket.end();
  assert.match(await server.closed(1), /^closed-by-peer: .*without a code/);
});

test("WebSocketDialer ends a stream that the server leaves open after its close frame", async () => {
  await using server = await RawServer.start();
  const peer = await server.opened(0);
  await peer.write(closeFrame(1000));
  assert.match(await server.closed(0), /^closed-by-peer: .*1000/);
});

test("WebSocketDialer.close() sends a close frame and drops what comes after it", async () => {
  await using server = await RawServer.start();
  const peer = await server.opened(0);
  server.dialer.send(0, bytesOf("before"), 0, 6, 6);
  server.dialer.close(0);
  server.dialer.close(0);
  await until(() => peer.frames.length === 2, "the close frame");
  assert.deepEqual(peer.texts, ["2 before", closeText(1000)]);
  await peer.write(frame(2, "late"), frame(9, "late ping"), closeFrame(1000));
  peer.socket.end();
  assert.equal(await server.closed(0), "asked for");
  assert.equal(server.client.of(0).chunks.length, 0);
  assert.equal(peer.frames.length, 2);
});

test("WebSocketDialer.finish() sends a close frame and still passes on what comes", async () => {
  await using server = await RawServer.start();
  const peer = await server.opened(0);
  server.dialer.finish(0);
  assert.equal(server.dialer.send(0, bytesOf("x"), 0, 1, 1), 0);
  await until(() => peer.frames.length === 1, "the close frame");
  await peer.write(frame(1, "late"), closeFrame(1000));
  peer.socket.end();
  assert.equal(await server.closed(0), "asked for");
  assert.equal(Buffer.from(server.client.received(0)).toString(), "late");
});

test("WebSocketDialer.close() does not wait for ever", async () => {
  await using server = await RawServer.start();
  await server.opened(0);
  await server.opened(1);
  server.dialer.pause(1);
  const startMs = performance.now();
  server.dialer.close(0);
  server.dialer.finish(1);
  server.dialer.close(1);
  assert.equal(await server.closed(0), "asked for");
  assert.equal(await server.closed(1), "asked for");
  assert.ok(performance.now() - startMs > 900);
});

test("WebSocketDialer.shutdown() ends all, once, and refuses to connect again", async () => {
  await using server = await RawServer.start();
  const peer = await server.opened(0);
  await server.opened(1);
  server.dialer.connect(2);
  const first = server.dialer.shutdown();
  const second = server.dialer.shutdown();
  server.dialer.connect(3);
  await Promise.all([first, second]);
  assert.deepEqual([0, 1, 2, 3].map((id) => server.client.of(id).closes), [1, 1, 1, 1]);
  assert.ok([0, 1, 2, 3].every((id) => server.client.of(id).failure === undefined));
  assert.deepEqual(peer.texts, [closeText(1000)]);
});

test("WebSocketDialer ends a connection whose server breaks the protocol", async () => {
  const cases: [bytes: Uint8Array, code: number, detail: RegExp][] = [
    [frame(2, "x", { key: [1, 2, 3, 4] }), 1002, /masked/],
    [frame(3, "x"), 1002, /opcode 3/],
    [frame(2, "x", { reservedBits: 0x40 }), 1002, /reserved bit/],
    [frame(1, Uint8Array.of(0xff)), 1007, /UTF-8/],
    [frame(2, new Uint8Array(1001)), 1009, /1001 bytes.* 1000/],
    [frame(8, "x"), 1002, /half a code/],
  ];
  for (const [bytes, code, detail] of cases) {
    await using server = await RawServer.start({ maxMessageBytes: 1000 });
    const peer = await server.opened(0);
    await peer.write(frame(2, "good"), bytes, frame(2, "after"));
    // Reported although the server does not end the stream.
    assert.match(await server.closed(0), detail);
    assert.equal(server.client.of(0).failure?.kind, "protocol");
    await until(() => peer.isEnded, "the end");
    peer.socket.end();
    assert.deepEqual(peer.texts, [closeText(code)]);
    assert.equal(Buffer.from(server.client.received(0)).toString(), "good");
  }
});

test("WebSocketDialer connects again while the end of a bad stream is awaited", async () => {
  await using server = await RawServer.start();
  const bad = await server.opened(0);
  await bad.write(frame(3, "x"));
  assert.match(await server.closed(0), /^protocol: /);
  const good = await server.opened(0);
  await until(() => bad.isClosed, "the end of the bad one");
  bad.socket.destroy();
  await good.write(frame(2, "good"));
  await until(() => server.client.of(0).bytes === 4, "a message");
  assert.equal(server.client.of(0).closes, 1);
  assert.equal(server.client.of(0).opens, 2);
});

test("WebSocketDialer tells an end without a close frame from a reset", async () => {
  await using server = await RawServer.start();
  (await server.opened(0)).socket.end();
  assert.match(await server.closed(0), /^closed-by-peer: .*without a close frame/);
  (await server.opened(1)).socket.resetAndDestroy();
  assert.match(await server.closed(1), /^reset: /);
});

test("WebSocketDialer.terminate() ends at once, in every state", async () => {
  await using server = await RawServer.start();
  await server.opened(0);
  server.dialer.terminate(0);
  assert.equal(server.client.of(0).closes, 1);
  await server.opened(0);
  server.dialer.close(0);
  server.dialer.terminate(0);
  assert.equal(server.client.of(0).closes, 2);
  assert.equal(server.client.of(0).failure, undefined);
  server.dialer.connect(1);
  server.dialer.terminate(1);
  assert.equal(server.client.of(1).closes, 1);
  assert.throws(() => server.dialer.connect(4), RangeError);
  await server.opened(2);
  assert.throws(() => server.dialer.connect(2), RangeError);
});
