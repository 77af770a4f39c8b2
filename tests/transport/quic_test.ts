import { heapStats } from "bun:jsc";
import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { HostLimitError, UsageError } from "../../lib/errors.ts";
import type { Failure } from "../../lib/stats/failure.ts";
import { makeCertificate } from "../../lib/transport/certificates.ts";
import { makeQuic, quic } from "../../lib/transport/quic.ts";
import type {
  Dialer,
  DialSettings,
  Listener,
  ListenSettings,
} from "../../lib/transport/transport.ts";
import { Pair, type Subject } from "./pair.ts";
import {
  dialSettings,
  EchoRecorder,
  listenSettings,
  pattern,
  Recorder,
  sendAll,
  until,
} from "./recorder.ts";

const certificate = await makeCertificate({
  names: ["localhost"],
  addresses: ["127.0.0.1", "::1"],
});
/** Notices a vanished peer soon; on a busy machine it may take a slow one for vanished. */
const hasty = makeQuic({ idleTimeoutMs: 3000, keepAliveMs: 500 });
const trusting = { ca: certificate.ca, insecure: false, alpn: [] };

const subject: Subject = {
  name: "quic",
  transport: quic,
  file: "quic.ts",
  carrier: "udp",
  listen: () => Promise.resolve({ certificate }),
  dial: () => Promise.resolve({ connectTimeoutMs: 10_000, tls: trusting }),
  refusedKinds: ["refused"],
  resetKinds: ["reset"],
};

const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
afterAll(() => assert.deepEqual(unhandled, [], "no rejection escaped"));

function endpointAt(port: number, lastPort = port, host = "127.0.0.1") {
  return { scheme: "quic", host, port, lastPort, path: "/" } as const;
}

async function serve(port: number, lastPort: number, own: Partial<ListenSettings> = {}) {
  const refusals: Failure[] = [];
  const server = new EchoRecorder();
  const settings = listenSettings(refusals, { certificate, ...own });
  const listener = await quic.listen(endpointAt(port, lastPort), server, settings);
  server.connections = listener;
  return { listener, server, refusals };
}

async function dial(
  port: number,
  lastPort: number,
  capacity: number,
  own: Partial<DialSettings> = {},
  host = "127.0.0.1",
  transport = quic,
): Promise<{ dialer: Dialer; client: Recorder }> {
  const client = new Recorder("dialer");
  const settings = dialSettings(capacity, { tls: trusting, ...own });
  const dialer = await transport.dial(endpointAt(port, lastPort, host), client, settings);
  return { dialer, client };
}

/** Connects and waits for the outcome. */
async function settle(dialer: Dialer, client: Recorder, id = 0) {
  dialer.connect(id);
  const record = client.of(id);
  await until(() => record.opens + record.closes > 0, `open(${id}) or close(${id})`);
  return record;
}

async function echo(dialer: Dialer, client: Recorder, id: number, bytes: Uint8Array) {
  const record = client.of(id);
  const start = record.bytes;
  await sendAll(dialer, client, id, bytes, bytes.length);
  await until(() => record.bytes >= start + bytes.length || !record.isOpen, `echo on ${id}`);
  assert.ok(record.isOpen, `closed as ${record.failure?.kind}: ${record.failure?.detail}`);
  assert.ok(client.received(id).subarray(start).equals(bytes));
}

/** UDP sockets that hold a port until `close`. */
async function holdPort(port = 0): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("error", () => {});
  socket.bind(port, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

/** The first of `count` UDP ports in a row that are free at the moment. */
async function freeRange(count: number): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const first = await holdPort();
    const { port } = first.address();
    const held = [first];
    try {
      for (let index = 1; index < count; index++) {
        const socket = createSocket("udp4");
        held.push(socket);
        await new Promise<void>((resolve, reject) => {
          socket.once("error", reject);
          socket.bind(port + index, "127.0.0.1", resolve);
        });
      }
      if (port + count < 65536) return port;
    } catch {
      // One of them is in use; elsewhere then.
    } finally {
      for (const socket of held) socket.close();
    }
  }
  throw new Error(`no ${count} free UDP ports in a row`);
}

function openSockets(): number {
  return readdirSync("/proc/self/fd").length;
}

test("listen() binds every port of a range, and all of them serve", async () => {
  const first = await freeRange(3);
  const { listener, server } = await serve(first, first + 2);
  assert.deepEqual(listener.endpoint, endpointAt(first, first + 2));
  for (const port of [first, first + 1, first + 2]) {
    const { dialer, client } = await dial(port, port, 1);
    await settle(dialer, client);
    await echo(dialer, client, 0, pattern(1000, port));
    await dialer.shutdown();
  }
  assert.equal(server.total("opens"), 3);
  await listener.shutdown();
});

test("listen() binds all ports of a range or none", async () => {
  const first = await freeRange(4);
  const held = await holdPort(first + 2);
  await assert.rejects(
    serve(first, first + 3),
    (error) => error instanceof HostLimitError && error.message.includes(String(first + 2)),
  );
  held.close();
  const { listener } = await serve(first, first + 3);
  await listener.shutdown();
});

test("dial() spreads its sockets evenly over the ports of a range", async () => {
  const first = await freeRange(4);
  const served = await Promise.all([0, 1, 2, 3].map((n) => serve(first + n, first + n)));
  const { dialer, client } = await dial(first, first + 3, 16, { connectionsPerSocket: 2 });
  for (let id = 0; id < 16; id++) await settle(dialer, client, id);
  assert.equal(client.openIds.length, 16);
  assert.deepEqual(served.map(({ server }) => server.total("opens")), [4, 4, 4, 4]);
  await dialer.shutdown();
  for (const { listener } of served) await listener.shutdown();
});

test.skipIf(process.platform !== "linux")(
  "dial() uses one UDP socket for connectionsPerSocket connections, and frees it",
  async () => {
    const { listener } = await serve(0, 0);
    const { port } = listener.endpoint;
    for (const [connectionsPerSocket, sockets] of [[1, 20], [32, 1]] as const) {
      const before = openSockets();
      const { dialer, client } = await dial(port, port, 20, { connectionsPerSocket });
      for (let id = 0; id < 20; id++) await settle(dialer, client, id);
      await until(() => openSockets() === before + sockets, `${sockets} sockets`);
      await echo(dialer, client, 19, pattern(100));
      await dialer.shutdown();
      await until(() => openSockets() === before, "all sockets closed");
    }
    await listener.shutdown();
  },
);

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

test("QuicDialer reports a server that speaks another protocol", async () => {
  const { listener, refusals } = await serve(0, 0, { alpn: ["other", "another"] });
  const { port } = listener.endpoint;
  const { dialer, client } = await dial(port, port, 2);
  const record = await settle(dialer, client);
  assert.equal(record.opens, 0);
  assert.equal(record.failure?.kind, "protocol");
  assert.match(record.failure!.detail, /TLS alert 120/);
  await until(() => refusals.length > 0, "refused on the listener");
  assert.equal(refusals[0]!.kind, "protocol");
  await dialer.shutdown();

  const right = await dial(port, port, 1, { tls: { ...trusting, alpn: ["another"] } });
  assert.equal((await settle(right.dialer, right.client)).opens, 1);
  await right.dialer.shutdown();
  await listener.shutdown();
});

test("QuicDialer verifies the authority, the name and the address of the server", async () => {
  const other = await makeCertificate({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const elsewhere = await makeCertificate({ names: ["elsewhere"], addresses: ["192.0.2.1"] });
  const { listener } = await serve(0, 0);
  const away = await serve(0, 0, { certificate: elsewhere });
  const attempt = async (to: Listener, host: string, tls: DialSettings["tls"]) => {
    const { port } = to.endpoint;
    const { dialer, client } = await dial(port, port, 1, { tls }, host);
    const { opens, failure } = await settle(dialer, client);
    await dialer.shutdown();
    return opens === 1 ? "open" : `${failure?.kind}: ${failure?.detail}`;
  };
  const wrong = { ...trusting, ca: other.ca };
  const far = { ...trusting, ca: elsewhere.ca };
  assert.equal(await attempt(listener, "localhost", trusting), "open");
  assert.equal(await attempt(listener, "127.0.0.1", trusting), "open");
  assert.match(await attempt(listener, "localhost", wrong), /^tls: certificate: /);
  assert.match(await attempt(listener, "127.0.0.1", wrong), /^tls: certificate: /);
  assert.match(await attempt(away.listener, "localhost", far), /^tls: certificate: Hostname/);
  assert.match(await attempt(away.listener, "127.0.0.1", far), /not valid for .*127\.0\.0\.1/);
  assert.equal(
    await attempt(away.listener, "127.0.0.1", { ...far, servername: "elsewhere" }),
    "open",
  );
  assert.equal(await attempt(away.listener, "localhost", { insecure: true, alpn: [] }), "open");
  assert.equal(away.server.openIds.length + away.server.total("bytes"), 0);
  await listener.shutdown();
  await away.listener.shutdown();
});

test("QuicDialer tells apart how its peer ended", async () => {
  await using pair = await Pair.open(subject);
  const { client, server, listener, dialer } = pair;
  await pair.opened(0);
  // The listener knows the stream when the first bytes have come on it.
  const early = pattern(10);
  assert.equal(listener.send(0, early, 0, 10, 10), 0);
  listener.finish(0);
  dialer.send(0, early, 0, 10, 10);
  await until(() => client.of(0).ends === 1, "the end of the stream");
  assert.ok(client.of(0).isOpen, "a half-close closes nothing");
  dialer.finish(0);
  await until(() => client.of(0).closes === 1, "close after both ends");
  assert.equal(client.of(0).failure, undefined);

  await pair.opened(1);
  listener.terminate(server.openIds[0]!);
  await until(() => client.of(1).closes === 1, "close after the reset");
  assert.equal(client.of(1).failure?.kind, "reset");

  await pair.opened(2);
  dialer.send(2, pattern(10), 0, 10, 10);
  await until(() => client.of(2).bytes === 10, "echo");
  await listener.shutdown();
  await until(() => client.of(2).closes + client.of(2).ends > 0, "close or end");
  if (client.of(2).closes > 0) assert.equal(client.of(2).failure?.kind, "closed-by-peer");
});

test("QuicDialer reports a killed server as idle, and nothing escapes", async () => {
  const script = new URL("./echo_peer.ts", import.meta.url).pathname;
  const peer = Bun.spawn(
    [process.execPath, "--no-warnings", script, "quic.ts", "quic", JSON.stringify({ certificate })],
    { stdout: "pipe", stderr: "inherit" },
  );
  const { value } = await peer.stdout.getReader().read();
  const port = Number(new TextDecoder().decode(value));
  const { dialer, client } = await dial(port, port, 3, {}, "127.0.0.1", hasty);
  for (const id of [0, 1, 2]) await settle(dialer, client, id);
  await echo(dialer, client, 0, pattern(100));
  peer.kill("SIGKILL");
  await peer.exited;
  const message = pattern(100);
  await until(() => {
    dialer.send(0, message, 0, 100, 100);
    return client.total("closes") === 3;
  }, "close of all three");
  for (const id of [0, 1, 2]) assert.equal(client.of(id).failure?.kind, "idle");
  // Nobody listens there now, which ICMP tells.
  assert.equal((await settleAgain(dialer, client, 1)).failure?.kind, "refused");
  await dialer.shutdown();
});

/** Connects an id again and waits for its close. */
async function settleAgain(dialer: Dialer, client: Recorder, id: number) {
  const record = client.of(id);
  const { closes } = record;
  dialer.connect(id);
  await until(() => record.closes > closes, `close(${id})`);
  return record;
}

test("QuicDialer reports a closed port at once and a silent one after connectTimeoutMs", async () => {
  const held = await holdPort();
  const { port } = held.address();
  const silent = await dial(port, port, 1, { connectTimeoutMs: 500 });
  const startMs = performance.now();
  const record = await settle(silent.dialer, silent.client);
  assert.equal(record.failure?.kind, "timeout");
  assert.ok(performance.now() - startMs >= 490, "not before the timeout");
  await silent.dialer.shutdown();
  held.close();

  const closed = await dial(port, port, 2, { connectTimeoutMs: 60_000 });
  assert.equal((await settle(closed.dialer, closed.client, 0)).failure?.kind, "refused");
  assert.equal((await settle(closed.dialer, closed.client, 1)).failure?.kind, "refused");
  assert.equal((await settleAgain(closed.dialer, closed.client, 0)).failure?.kind, "refused");
  await closed.dialer.shutdown();
});

test("QuicDialer sends from the source addresses that it is given", async () => {
  const held = await holdPort();
  const senders = new Set<string>();
  held.on("message", (_bytes, from) => senders.add(`${from.address}:${from.port}`));
  const free = await freeRange(2);
  const pairs = [
    { address: "127.0.0.2", port: held.address().port }, // free on this address
    { address: "127.0.0.3", port: free },
  ];
  let at = -1;
  const released: number[] = [];
  const sources = {
    hasFamily: () => true,
    next: () => ++at < pairs.length ? at : -1,
    release: (pair: number) => void released.push(pair),
    get address() {
      return pairs[at]!.address;
    },
    get port() {
      return pairs[at]!.port;
    },
  };
  const { port } = held.address();
  const own = { sources, connectionsPerSocket: 1, connectTimeoutMs: 1000 };
  const { dialer, client } = await dial(port, port, 3, own);
  for (const id of [0, 1, 2]) dialer.connect(id);
  await until(() => client.of(2).closes === 1, "close of the one without a source");
  assert.equal(client.of(2).failure?.kind, "host-ports");
  const expected = pairs.map((pair) => `${pair.address}:${pair.port}`);
  await until(() => expected.every((sender) => senders.has(sender)), "packets of both");
  await dialer.shutdown();
  assert.deepEqual(released.sort(), [0, 1]);
  held.close();
});

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

test("QuicListener goes on serving when another client is killed", async () => {
  const { listener } = await serve(0, 0);
  const { port } = listener.endpoint;
  const { dialer, client } = await dial(port, port, 1);
  await settle(dialer, client);
  const script = new URL("./quic_client_peer.ts", import.meta.url).pathname;
  for (let round = 0; round < 3; round++) {
    const peer = Bun.spawn(
      [process.execPath, "--no-warnings", script, String(port), certificate.ca],
      { stdout: "pipe", stderr: "inherit" },
    );
    await peer.stdout.getReader().read();
    peer.kill("SIGKILL");
    await peer.exited;
    // Its port is closed now, and says so (ICMP) to whoever still sends there.
    const startMs = performance.now();
    let turns = 0;
    for (; performance.now() - startMs < 2000; turns++) {
      await echo(dialer, client, 0, pattern(100, turns + 1));
      await Bun.sleep(5);
    }
    // Every ICMP message would have cost a second of silence.
    assert.ok(turns > 20, `${turns} echoes in two seconds`);
  }
  await dialer.shutdown();
  await listener.shutdown();
}, 60_000);

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

test("listen() and dial() refuse settings that QUIC cannot follow", async () => {
  const handlers = new Recorder("listener");
  const isUsage = (pattern: RegExp) => (error: unknown) =>
    error instanceof UsageError && pattern.test(error.message);
  await assert.rejects(
    quic.listen(endpointAt(0), handlers, listenSettings([])),
    isUsage(/needs a certificate/),
  );
  await assert.rejects(
    quic.listen(endpointAt(0), handlers, listenSettings([], { certificate, alpn: ["h3"] })),
    isUsage(/HTTP\/3/),
  );
  for (const [alpn, text] of [[["a", "b"], /one ALPN/], [[""], /1 to 255 bytes/]] as const) {
    const settings = dialSettings(1, { tls: { insecure: true, alpn } });
    await assert.rejects(quic.dial(endpointAt(1), handlers, settings), isUsage(text));
  }
});

test("dial() goes on to the next address of a name where the first refuses", async () => {
  // `localhost` is ::1 and 127.0.0.1, in an order that hosts decide; each is served in turn.
  const hasIPv6 = await canBindIPv6();
  for (const host of hasIPv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"]) {
    const server = new EchoRecorder();
    const settings = listenSettings([], { certificate });
    const listener = await quic.listen(endpointAt(0, 0, host), server, settings);
    server.connections = listener;
    const { port } = listener.endpoint;
    const { dialer, client } = await dial(port, port, 2, {}, "localhost");
    const record = await settle(dialer, client);
    assert.equal(record.opens, 1, record.failure?.detail);
    await echo(dialer, client, 0, pattern(10));
    assert.equal((await settle(dialer, client, 1)).opens, 1);
    await dialer.shutdown();
    await listener.shutdown();
  }
});

async function canBindIPv6(): Promise<boolean> {
  const server = createServer();
  server.listen(0, "::1");
  try {
    await once(server, "listening");
    server.close();
    return true;
  } catch {
    return false;
  }
}
