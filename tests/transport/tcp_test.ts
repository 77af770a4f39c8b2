import { test } from "bun:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { tcp } from "../../lib/transport/tcp.ts";
import { testWith } from "../programs.ts";
import {
  dialSettings,
  EchoRecorder,
  listenSettings,
  pattern,
  Recorder,
  until,
} from "./recorder.ts";
import { endpointOf, freePorts } from "./tcp_loopback.ts";

async function listen(host = "127.0.0.1") {
  const server = new EchoRecorder();
  const listener = await tcp.listen(endpointOf(0, host), server, listenSettings([]));
  server.connections = listener;
  return { listener, server, port: listener.endpoint.port };
}

test("tcp.dial() goes on to the address of localhost that answers", async () => {
  for (const host of ["127.0.0.1", "::1"]) {
    const { listener, port } = await listen(host);
    const client = new Recorder("dialer");
    const dialer = await tcp.dial(endpointOf(port, "localhost"), client, dialSettings(3));
    for (const id of [0, 1, 2]) dialer.connect(id);
    await until(() => client.openIds.length === 3, () => `open to ${host}`);
    await dialer.shutdown();
    assert.equal(client.total("closes"), 3);
    await listener.shutdown();
  }
});

test("tcp.dial() reports a refusal once, after every address refused", async () => {
  const [port] = await freePorts(1);
  const client = new Recorder("dialer");
  const dialer = await tcp.dial(endpointOf(port!, "localhost"), client, dialSettings(50));
  for (let id = 0; id < 50; id++) dialer.connect(id);
  await until(() => client.total("closes") === 50, "every close");
  for (let id = 0; id < 50; id++) {
    assert.equal(client.of(id).failure?.kind, "refused");
    assert.match(client.of(id).failure!.detail, /ECONNREFUSED connect .*:\d+$/);
  }
  // Mass failures share one object.
  assert.equal(client.of(0).failure, client.of(49).failure);
  await dialer.shutdown();
});

test("tcp.listen() on every address takes IPv4 and IPv6", async () => {
  const { listener, server, port } = await listen("");
  assert.equal(listener.endpoint.host, "");
  for (const host of ["127.0.0.1", "::1"]) {
    const socket = connect(port, host);
    await once(socket, "connect");
    socket.write("x");
    const [bytes] = await once(socket, "data");
    assert.equal(String(bytes), "x");
    socket.destroy();
  }
  await until(() => server.total("closes") === 2, "both closes");
  await listener.shutdown();
});

test("tcp.listen() gives out the lowest free ids", async () => {
  const { listener, server, port } = await listen();
  const client = new Recorder("dialer");
  const dialer = await tcp.dial(endpointOf(port), client, dialSettings(100));
  for (let id = 0; id < 100; id++) dialer.connect(id);
  await until(() => server.openIds.length === 100, "all open");
  assert.deepEqual(server.openIds.sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i));
  for (const id of [70, 3, 41]) listener.terminate(id);
  await until(() => client.total("closes") === 3, "three closes");
  const freed = [...client.records].filter(([, record]) => !record.isOpen).map(([id]) => id);
  const opens = server.total("opens");
  for (const [index, id] of freed.entries()) {
    dialer.connect(id);
    await until(() => server.total("opens") === opens + index + 1, "open again");
    assert.ok(server.of([3, 41, 70][index]!).isOpen, "lowest first");
  }
  await dialer.shutdown();
  await until(() => server.openIds.length === 0, "all closed");
  await listener.shutdown();
});

testWith(["ss"])("tcp.listen() asks for the backlog that was set", async () => {
  const settings = listenSettings([], { backlog: 700 });
  const listener = await tcp.listen(endpointOf(0), new Recorder("listener"), settings);
  const run = Bun.spawnSync(["ss", "-Hltn", `sport = :${listener.endpoint.port}`]);
  const [, , sendQueue] = run.stdout.toString().trim().split(/\s+/);
  const capped = Number(await Bun.file("/proc/sys/net/core/somaxconn").text());
  assert.equal(Number(sendQueue), Math.min(700, capped));
  await listener.shutdown();
});

test("tcp delivers all bytes to a peer that resets right after it sent", async () => {
  const { listener, server, port } = await listen();
  const bytes = pattern(200_000);
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume();
  await once(socket, "connect");
  socket.write(bytes);
  await until(() => server.of(0).bytes === bytes.length, "all bytes");
  socket.resetAndDestroy();
  await until(() => server.of(0).closes === 1, "close");
  assert.equal(server.of(0).failure?.kind, "reset");
  assert.match(server.of(0).failure!.detail, /ECONNRESET/);
  await listener.shutdown();
});

test("close() lets the peer read what was sent, although it goes on sending", async () => {
  const server = new Recorder("listener");
  const listener = await tcp.listen(endpointOf(0), server, listenSettings([]));
  const answer = pattern(300_000);
  const socket = connect(listener.endpoint.port, "127.0.0.1");
  let receivedBytes = 0;
  let error: Error | undefined;
  socket.on("error", (cause) => error = cause);
  await once(socket, "connect");
  socket.write(pattern(100_000));
  await until(() => server.of(0).bytes > 0, "the first bytes");
  let sentBytes = 0;
  while (sentBytes < answer.length) {
    const accepted = listener.send(0, answer, sentBytes, answer.length - sentBytes, 1);
    sentBytes += accepted;
    if (accepted === 0) break;
  }
  listener.close(0);
  // A close(2) with unread bytes would reset the connection, and the peer lose the answer.
  for (let round = 0; round < 20; round++) {
    socket.write(pattern(1000));
    await Bun.sleep(2);
  }
  socket.on("data", (bytes) => receivedBytes += bytes.length);
  await once(socket, "end");
  assert.equal(error, undefined);
  assert.equal(receivedBytes, sentBytes);
  socket.end();
  await until(() => server.of(0).closes === 1, "close");
  assert.equal(server.of(0).failure, undefined);
  await listener.shutdown();
});

test("connect() refuses ids that are in use or out of range", async () => {
  const { listener, port } = await listen();
  const client = new Recorder("dialer");
  const dialer = await tcp.dial(endpointOf(port), client, dialSettings(1));
  assert.throws(() => dialer.connect(1), RangeError);
  assert.throws(() => dialer.connect(-1), RangeError);
  dialer.connect(0);
  assert.throws(() => dialer.connect(0), RangeError);
  await until(() => client.of(0).isOpen, "open");
  assert.throws(() => dialer.connect(0), RangeError);
  await dialer.shutdown();
  await listener.shutdown();
});
