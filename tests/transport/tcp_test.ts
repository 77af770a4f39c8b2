import { test } from "bun:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { SourceTable } from "../../lib/host/source_table.ts";
import { tcp } from "../../lib/transport/tcp.ts";
import { FullListener } from "./full_listener.ts";
import type { Endpoint } from "../../lib/transport/endpoint.ts";
import type { SourceAddresses } from "../../lib/transport/transport.ts";
import {
  dialSettings,
  EchoRecorder,
  listenSettings,
  pattern,
  Recorder,
  until,
} from "./recorder.ts";

function endpointOf(port: number, host = "127.0.0.1"): Endpoint {
  return { scheme: "tcp", host, port, lastPort: port, path: "/" };
}

async function listen(host = "127.0.0.1") {
  const server = new EchoRecorder();
  const listener = await tcp.listen(endpointOf(0, host), server, listenSettings([]));
  server.connections = listener;
  return { listener, server, port: listener.endpoint.port };
}

async function nodeServer(host: string): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => void socket.on("error", () => {}).resume());
  server.listen(0, host);
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

/** The pairs in this order. */
function sourcesOf(pairs: readonly (readonly [string, number])[]): SourceAddresses {
  let index = -1;
  return {
    hasFamily: (isIPv6) => pairs.some(([address]) => address.includes(":") === isIPv6),
    next: () => ++index < pairs.length ? index : -1,
    release() {},
    get address() {
      return pairs[index]![0];
    },
    get port() {
      return pairs[index]![1];
    },
  };
}

/** Ports that are free now, and were a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => nodeServer("127.0.0.1")));
  await Promise.all(servers.map(({ server }) => new Promise((done) => server.close(done))));
  return servers.map(({ port }) => port);
}

test("tcp.dial() connects from the given sources, one by one", async () => {
  const { server, port } = await nodeServer("127.0.0.1");
  const seen: string[] = [];
  server.on("connection", (socket) => seen.push(`${socket.remoteAddress}:${socket.remotePort}`));
  const [first, second] = await freePorts(2);
  const client = new Recorder("dialer");
  const sources = sourcesOf([["127.0.0.1", first!], ["127.0.0.2", second!]]);
  const dialer = await tcp.dial(endpointOf(port), client, dialSettings(3, { sources }));
  dialer.connect(0);
  await until(() => seen.length === 1, "the first");
  dialer.connect(1);
  await until(() => seen.length === 2, "the second");
  assert.deepEqual(seen, [`127.0.0.1:${first}`, `127.0.0.2:${second}`]);
  dialer.connect(2);
  await until(() => client.of(2).closes === 1, "close for want of a source");
  assert.equal(client.of(2).failure?.kind, "host-ports");
  await dialer.shutdown();
  server.close();
});

test("tcp.dial() skips sources that are taken", async () => {
  const { server, port } = await nodeServer("127.0.0.1");
  const taken = await nodeServer("127.0.0.1");
  const [free] = await freePorts(1);
  const client = new Recorder("dialer");
  const sources = sourcesOf([
    ["127.0.0.1", taken.port],
    ["127.0.0.1", free!],
  ]);
  const dialer = await tcp.dial(endpointOf(port), client, dialSettings(1, { sources }));
  dialer.connect(0);
  await until(() => client.of(0).opens + client.of(0).closes > 0, "open");
  assert.ok(client.of(0).isOpen, client.of(0).failure?.detail);
  await dialer.shutdown();
  assert.equal(client.of(0).closes, 1);
  taken.server.close();
  server.close();
});

test("tcp.dial() gives up on sources after a bounded number of tries", async () => {
  const { server, port } = await nodeServer("127.0.0.1");
  const taken = await nodeServer("127.0.0.1");
  let tries = 0;
  const released: number[] = [];
  const sources: SourceAddresses = {
    hasFamily: () => true,
    next: () => ++tries,
    address: "127.0.0.1",
    port: taken.port,
    release: (pair) => void released.push(pair),
  };
  const client = new Recorder("dialer");
  const dialer = await tcp.dial(endpointOf(port), client, dialSettings(1, { sources }));
  dialer.connect(0);
  await until(() => client.of(0).closes === 1, "close");
  assert.equal(client.of(0).failure?.kind, "host-ports");
  assert.match(client.of(0).failure!.detail, /EADDRINUSE/);
  assert.ok(tries > 1 && tries <= 1000, `${tries} tries`);
  assert.equal(released.length, tries, "what is taken may be free another time");
  await dialer.shutdown();
  taken.server.close();
  server.close();
});

test("tcp.dial() names a source address that is not of this host", async () => {
  const { server, port } = await nodeServer("127.0.0.1");
  const [first, second] = await freePorts(2);
  // TEST-NET-1, RFC 5737
  const sources = sourcesOf([["192.0.2.77", first!], ["127.0.0.1", second!]]);
  const client = new Recorder("dialer");
  const dialer = await tcp.dial(endpointOf(port), client, dialSettings(2, { sources }));
  dialer.connect(0);
  await until(() => client.of(0).closes === 1, "close");
  assert.equal(client.of(0).failure?.kind, "host-ports");
  assert.match(client.of(0).failure!.detail, /^EADDRNOTAVAIL bind 192\.0\.2\.77, connect 127/);
  dialer.connect(1);
  await until(() => client.of(1).isOpen, "the other address");
  await dialer.shutdown();
  server.close();
});

test("tcp.dial() leaves out the target's addresses of families without a source", async () => {
  const { server, port } = await nodeServer("127.0.0.1");
  const [free] = await freePorts(1);
  const client = new Recorder("dialer");
  const target = { ...endpointOf(port), host: "localhost" };
  const sources = sourcesOf([["127.0.0.2", free!]]);
  const dialer = await tcp.dial(target, client, dialSettings(1, { sources }));
  dialer.connect(0);
  await until(() => client.of(0).isOpen, "open");
  await dialer.shutdown();
  server.close();
  const six = dialSettings(1, { sources: sourcesOf([["::1", 1025]]) });
  await assert.rejects(
    tcp.dial(endpointOf(port), client, six),
    /^UsageError: the target 127\.0\.0\.1 is IPv4, and every source address is IPv6; give an IPv4/,
  );
});

for (const way of ["terminate", "close"] as const) {
  test(`tcp.dial() uses source pairs again after ${way}()`, async () => {
    const { server, port } = await nodeServer("127.0.0.1");
    server.on("connection", (socket) => void socket.on("end", () => socket.end()));
    const ports = await freePorts(2);
    const [first, last] = [Math.min(...ports), Math.max(...ports)];
    const between = { first: first + 1, last: last - 1 };
    const table = new SourceTable({
      addresses: ["127.0.0.9"],
      firstPort: first,
      lastPort: last,
      exceptPorts: last - first > 1 ? [between] : [],
      protocol: "tcp",
      target: { addresses: ["127.0.0.1"], port },
    });
    const client = new Recorder("dialer");
    const dialer = await tcp.dial(endpointOf(port), client, dialSettings(3, { sources: table }));
    // An orderly close leaves TIME_WAIT, in which a pair may have to wait.
    const rounds = way === "close" ? 1 : 5;
    for (let round = 1; round <= rounds; round++) {
      for (const id of [0, 1]) dialer.connect(id);
      await until(() => client.of(0).opens === round && client.of(1).opens === round, "open");
      assert.equal(table.free(false), 0);
      if (round === 1) {
        dialer.connect(2);
        await until(() => client.of(2).closes === 1, "close for want of a pair");
      }
      for (const id of [0, 1]) dialer[way](id);
      await until(() => client.of(0).closes === round && client.of(1).closes === round, "closed");
      assert.equal(table.free(false), 2);
    }
    await dialer.shutdown();
    assert.equal(table.free(false), 2);
    server.close();
  }, 30_000);
}

test(
  "tcp.dial() keeps the pair of a connect that was given up until its socket is gone",
  async () => {
    const table = new SourceTable({
      addresses: ["127.0.0.9"],
      firstPort: 20_000,
      lastPort: 20_999,
      protocol: "tcp",
      target: { addresses: ["127.0.0.1"], port: 1 },
    });
    // Nobody accepts, and the queue is full: further connects stay without an answer.
    using full = await FullListener.start();
    const client = new Recorder("dialer");
    const dialer = await tcp.dial(
      endpointOf(full.port),
      client,
      dialSettings(1, { sources: table }),
    );
    const before = table.free(false);
    dialer.connect(0);
    await Bun.sleep(50);
    dialer.terminate(0);
    assert.equal(client.of(0).closes, 1);
    assert.equal(client.of(0).opens, 0);
    assert.equal(table.free(false), before - 1);
    full.makeRoom();
    await until(() => table.free(false) === before, "the late socket is gone");
    await dialer.shutdown();
  },
  30_000,
);

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

const ss = Bun.which("ss");
test.skipIf(ss === null)("tcp.listen() asks for the backlog that was set (needs ss)", async () => {
  const settings = listenSettings([], { backlog: 700 });
  const listener = await tcp.listen(endpointOf(0), new Recorder("listener"), settings);
  const run = Bun.spawnSync([ss!, "-Hltn", `sport = :${listener.endpoint.port}`]);
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
