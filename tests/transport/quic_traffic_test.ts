import { test } from "bun:test";
import { heapStats } from "bun:jsc";
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { Pair } from "./pair.ts";
import {
  dial,
  echo,
  expectNoRejections,
  freeRange,
  serve,
  settle,
  subject,
} from "./quic_loopback.ts";
import { pattern, Recorder, sendAll, until } from "./recorder.ts";

expectNoRejections();

test("QuicDialer carries 200 connections at once, each its own bytes", async () => {
  const first = await freeRange(4);
  const { listener, server } = await serve(first, first + 3);
  const { dialer, client } = await dial(first, first + 3, 200);
  for (let id = 0; id < 200; id++) dialer.connect(id);
  await until(() => client.openIds.length === 200, () => `${client.openIds.length} open`, 60_000);
  await Promise.all(client.openIds.map((id) => echo(dialer, client, id, pattern(5000, id + 1))));
  assert.equal(server.openIds.length, 200);
  for (let id = 0; id < 200; id++) dialer.close(id);
  await until(() => client.openIds.length + server.openIds.length === 0, "every close", 60_000);
  assert.deepEqual([...client.records.values()].filter((record) => record.failure), []);
  await dialer.shutdown();
  await listener.shutdown();
});

test("sessions and streams are garbage once their connections have closed", async () => {
  const { listener, server } = await serve(0, 0);
  const { port } = listener.endpoint;
  const { dialer, client } = await dial(port, port, 20);
  const sessions = () => {
    Bun.gc(true);
    const { QuicSession = 0, QuicStream = 0 } = heapStats().objectTypeCounts;
    return QuicSession + QuicStream;
  };
  const before = sessions();
  for (let round = 0; round < 10; round++) {
    for (let id = 0; id < 20; id++) dialer.connect(id);
    await until(() => client.openIds.length === 20, "open");
    await Promise.all(client.openIds.map((id) => echo(dialer, client, id, pattern(100))));
    for (let id = 0; id < 20; id++) round % 2 === 0 ? dialer.close(id) : dialer.terminate(id);
    await until(() => client.openIds.length + server.openIds.length === 0, "every close");
  }
  // 200 of either on both sides, if they stayed; a few of the last are on somebody's stack.
  await until(() => sessions() - before < 80, () => `${sessions() - before} are still there`);
  await dialer.shutdown();
  await listener.shutdown();
}, 60_000);

test("QuicListener survives random datagrams while it serves", async () => {
  await using pair = await Pair.open(subject);
  await pair.opened(0);
  const { port } = pair.listener.endpoint;
  const socket = createSocket("udp4");
  for (let round = 0; round < 600; round++) {
    const bytes = Buffer.from(pattern(1 + (round * 37) % 1500, round + 1));
    // A third each: short header, long header of QUIC 1 (an Initial, cut anywhere), anything.
    if (round % 3 === 0) bytes[0] = 0x40 | (bytes[0]! & 0x3f);
    if (round % 3 === 1) Buffer.from("c000000001", "hex").copy(bytes);
    await new Promise((resolve) => socket.send(bytes, port, "127.0.0.1", resolve));
    if (round % 100 === 0) await echoOn(pair, pattern(2000, round + 7));
  }
  socket.close();
  await echoOn(pair, pattern(50_000));
  await pair.opened(1);
  assert.equal(pair.server.openIds.length, 2);
});

async function echoOn(pair: Pair, bytes: Uint8Array) {
  await echo(pair.dialer, pair.client, 0, bytes);
}

test("QuicListener answers datagrams with datagrams and streams on the stream", async () => {
  const { listener, server } = await serve(0, 0);
  const { port } = listener.endpoint;
  const stream = await dial(port, port, 1);
  const datagrams = await dial(port, port, 1, { datagrams: true });
  assert.deepEqual(
    [stream.dialer.traits.framing, datagrams.dialer.traits.framing],
    ["stream", "message"],
  );
  assert.equal(datagrams.dialer.traits.maxMessageBytes, 1150);
  await settle(stream.dialer, stream.client);
  const record = await settle(datagrams.dialer, datagrams.client);
  for (const sizeBytes of [1, 2, 100, 1149, 1150]) {
    const message = pattern(sizeBytes, sizeBytes);
    const before = record.chunks.length;
    await echo(datagrams.dialer, datagrams.client, 0, message);
    assert.equal(record.chunks.length, before + 1, "a datagram stays whole");
    await echo(stream.dialer, stream.client, 0, message);
  }
  assert.equal(server.openIds.length, 2);

  // One that is too large must not vanish without a word.
  const tooLarge = pattern(1151);
  assert.equal(datagrams.dialer.send(0, tooLarge, 0, 1151, 1151), 0);
  assert.equal(record.closes, 1);
  assert.equal(record.failure?.kind, "protocol");
  assert.match(record.failure!.detail, /1151 bytes .* 1150/);
  await stream.dialer.shutdown();
  await datagrams.dialer.shutdown();
  await listener.shutdown();
});

test("send() takes no more datagrams than may wait, and drain follows", async () => {
  const { listener, server } = await serve(0, 0);
  const { port } = listener.endpoint;
  const { dialer, client } = await dial(port, port, 1, { datagrams: true });
  await settle(dialer, client);
  const bytes = pattern(1000 * 4000);
  const accepted = dialer.send(0, bytes, 0, bytes.length, 1000);
  assert.ok(accepted > 0 && accepted < bytes.length && accepted % 1000 === 0, `${accepted}`);
  assert.equal(dialer.send(0, bytes, 0, 1000, 1000), 0, "nothing before the drain");
  await sendAll(dialer, client, 0, bytes.subarray(accepted), 1000);
  assert.ok(client.of(0).drains > 0);
  // Datagrams may be lost on the way, and are not sent again; most of them arrive.
  await until(() => server.of(0).bytes > bytes.length / 2, () => `${server.of(0).bytes} arrived`);
  await dialer.shutdown();
  await listener.shutdown();
});

test("send() accepts a bounded number of bytes", async () => {
  await using pair = await Pair.open(subject);
  await pair.opened(0);
  const bytes = pattern(4 * 1024 * 1024);
  const accepted = pair.dialer.send(0, bytes, 0, bytes.length, bytes.length);
  assert.ok(accepted > 0 && accepted <= 65_536, `${accepted}`);
  assert.equal(pair.dialer.send(0, bytes, accepted, 1, 1), 0, "nothing before the drain");
  await sendAll(pair.dialer, pair.client, 0, bytes.subarray(accepted), bytes.length);
  await until(() => pair.client.of(0).bytes === bytes.length, "the echo");
  assert.ok(pair.client.received(0).equals(bytes));
});

test("pause() keeps what comes up to a limit, and then ends the connection", async () => {
  const server = new Recorder("listener");
  await using pair = await Pair.open(subject, { server, listen: { maxPendingBytes: 1_000_000 } });
  await pair.opened(0);
  const few = pattern(500_000);
  pair.listener.pause(0);
  await sendAll(pair.dialer, pair.client, 0, few, few.length);
  await Bun.sleep(100);
  const { bytes: beforeBytes } = server.of(0);
  assert.ok(beforeBytes < few.length, `${beforeBytes} came while reading was paused`);
  pair.listener.resume(0);
  await until(() => server.of(0).bytes === few.length, "all of it after resume");
  assert.ok(server.received(0).equals(few));

  pair.listener.pause(0);
  const many = pattern(64 * 1024 * 1024);
  let offset = 0;
  await until(() => {
    if (offset < many.length && pair.client.of(0).isOpen) {
      offset += pair.dialer.send(0, many, offset, many.length - offset, many.length);
    }
    return server.of(0).closes === 1;
  }, "the close");
  assert.equal(server.of(0).failure?.kind, "host-memory");
  await until(() => pair.client.of(0).closes === 1, "the dialer hears of it");
  assert.equal(pair.client.of(0).failure?.kind, "reset");
});
