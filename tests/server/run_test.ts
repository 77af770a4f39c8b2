import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileError, HostLimitError, UsageError } from "../../lib/errors.ts";
import { parseSnapshot } from "../../lib/stats/snapshot_json.ts";
import type { Scheme } from "../../lib/transport/endpoint.ts";
import { transports } from "../../lib/transport/registry.ts";
import type { ConnectionHandlers, Dialer } from "../../lib/transport/transport.ts";
import { ChildServer, LocalServer, until } from "./running_server.ts";
import { echoed, open } from "./socket_client.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-server-"));
afterAll(() => rmSync(directory, { recursive: true }));

const schemes = Object.keys(transports) as Scheme[];

for (const scheme of schemes) {
  test(`run() echoes on ${scheme} and counts what it did`, async () => {
    await using server = await LocalServer.start([`${scheme}://127.0.0.1:0`]);
    const connections = 3;
    const message = randomBytes(scheme === "udp" ? 1_000 : 100_000);
    const received = Array.from({ length: connections }, () => [] as Buffer[]);
    const lengthOf = (id: number) => received[id]!.reduce((sum, part) => sum + part.length, 0);
    let opened = 0;
    const unsent = new Array<number>(connections).fill(message.length);
    const sendRest = (id: number) => {
      const offset = message.length - unsent[id]!;
      unsent[id]! -= dialer.send(id, message, offset, unsent[id]!, message.length);
    };
    const handlers: ConnectionHandlers = {
      open: () => void opened++,
      data: (id, bytes) => void received[id]!.push(Buffer.from(bytes)),
      drain: sendRest,
      end: () => {},
      close: () => {},
    };
    const endpoint = server.endpoints[0]!;
    const dialer: Dialer = await transports[scheme].dial(endpoint, handlers, {
      capacity: connections,
      connectTimeoutMs: 10_000,
      tls: { insecure: true, alpn: [] },
      connectionsPerSocket: 32,
      datagrams: false,
      maxMessageBytes: 2 ** 20,
    });
    for (let id = 0; id < connections; id++) dialer.connect(id);
    await until("all are open", () => opened === connections);
    for (let id = 0; id < connections; id++) sendRest(id);
    for (let id = 0; id < connections; id++) {
      await until("all is echoed", () => lengthOf(id) === message.length);
      assert.ok(Buffer.concat(received[id]!).equals(message));
    }
    const { total, endpoints } = await server.snapshot();
    assert.equal(endpoints.length, 1);
    assert.equal(endpoints[0]!.endpoint, `${scheme}://127.0.0.1:${endpoint.port}`);
    assert.equal(total.bytesReceived, connections * message.length);
    assert.equal(total.bytesSent, connections * message.length);
    assert.ok(total.messages >= connections);
    const hasConnections = scheme !== "udp";
    assert.equal(total.open, hasConnections ? connections : 0);
    assert.equal(total.accepted, total.open);
    await dialer.shutdown();
    const after = await server.snapshotWith("all are closed", ({ total }) => total.open === 0);
    assert.equal(after.total.closed + after.total.failed, after.total.accepted);
  }, 60_000);
}

test("run() keeps text text and binary binary, empty messages included", async () => {
  await using server = await LocalServer.start(["ws://127.0.0.1:0/any?path"]);
  const socket = new WebSocket(`ws://127.0.0.1:${server.portOf("ws")}/other`);
  socket.binaryType = "arraybuffer";
  const answers: (string | number[])[] = [];
  socket.onmessage = ({ data }) =>
    void answers.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
  await new Promise((resolve) => socket.onopen = resolve);
  const sent = ["grüße, \u{1F600}", [0, 255, 128], "", [], "end"];
  for (const one of sent) socket.send(typeof one === "string" ? one : Uint8Array.from(one));
  await until("all are echoed", () => answers.length === sent.length);
  assert.deepEqual(answers, sent);
  socket.close();
});

test("run() sends everything back after the peer's half-close, then closes", async () => {
  await using server = await LocalServer.start(["tcp://127.0.0.1:0"]);
  const socket = await open(server.portOf("tcp"));
  const bytes = randomBytes(8 * 2 ** 20);
  socket.end(bytes);
  await Bun.sleep(100); // nobody reads: the echo has to wait
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);
  assert.ok(Buffer.concat(parts).equals(bytes));
  const { total } = await server.snapshotWith("it is closed", ({ total }) => total.open === 0);
  assert.equal(total.closed, 1);
  assert.equal(total.failed, 0);
}, 60_000);

test("run() counts connections that are reset as failed", async () => {
  await using server = await LocalServer.start(["tcp://127.0.0.1:0"]);
  const socket = await open(server.portOf("tcp"));
  await echoed(socket, Buffer.from("x"));
  socket.resetAndDestroy();
  const { total } = await server.snapshotWith("it is gone", ({ total }) => total.open === 0);
  assert.equal(total.failed, 1);
  assert.equal(total.failures[0]!.kind, "reset");
});

test("run() spends bounded memory on clients that never read, and serves the others", async () => {
  await using server = await ChildServer.start(["tcp://127.0.0.1:0", "ws://127.0.0.1:0"]);
  const before = (await server.snapshot()).process.rssBytes;
  const sockets: Bun.Socket[] = [];
  const block = new Uint8Array(2 ** 20);
  let acceptedBytes = 0;
  let lastProgressMs = performance.now();
  const pump = (socket: Bun.Socket) => {
    // What a short write did not take is kept by nobody: only the kernel holds bytes.
    for (let written = block.length; written === block.length;) {
      written = socket.write(block);
      if (written <= 0) return;
      acceptedBytes += written;
      lastProgressMs = performance.now();
    }
  };
  for (let i = 0; i < 20; i++) {
    sockets.push(
      await Bun.connect({
        hostname: "127.0.0.1",
        port: server.portOf("tcp"),
        socket: { open: (socket) => socket.pause(), drain: pump, data: () => {} },
      }),
    );
  }
  for (const socket of sockets) pump(socket);
  await until("they are all blocked", () => performance.now() - lastProgressMs > 1_500, 60_000);

  const other = await open(server.portOf("tcp"));
  const bytes = randomBytes(1_000_000);
  assert.ok((await echoed(other, bytes)).equals(bytes), "another client is served");
  other.destroy();
  const { process: usage, total } = await server.snapshot();
  const growth = usage.rssBytes - before;
  // 512 KiB each is what is read at once; the rest is room for the allocator.
  assert.ok(growth < 20 * 2 ** 20 + 64 * 2 ** 20, `grew by ${growth} bytes`);
  const unread = total.bytesReceived - bytes.length;
  assert.ok(unread <= acceptedBytes);

  const webSocket = await neverReadingWebSocket(server.portOf("ws"));
  for (let written = 1; written > 0;) {
    written = webSocket.socket.write(webSocket.frame);
    await Bun.sleep(1);
  }
  await Bun.sleep(500);
  const later = await server.snapshot();
  assert.ok(later.process.rssBytes - before < 128 * 2 ** 20, "and over WebSocket");
  for (const socket of [...sockets, webSocket.socket]) socket.terminate();
  const after = await server.snapshotWith("all are gone", ({ total }) => total.open === 0);
  assert.equal(after.total.failures.find(({ kind }) => kind === "host-memory"), undefined);
}, 90_000);

/** A WebSocket client of raw bytes, since a real one reads whether it is asked to or not. */
async function neverReadingWebSocket(port: number) {
  const head = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (socket) => {
        socket.pause();
        head.resolve();
      },
    },
  });
  socket.write(
    `GET / HTTP/1.1\r\nHost: localhost:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  await head.promise;
  // Binary, masked with zeros, 64 KiB.
  const frame = new Uint8Array(14 + 65_536);
  frame.set([0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0]);
  return { socket, frame };
}

test("run() answers no datagram from its own port or from a port below 1024", async () => {
  await using server = await LocalServer.start(["udp://127.0.0.1:0"]);
  const port = server.portOf("udp");
  const answers: string[] = [];
  const client = async (localPort: number) =>
    await Bun.udpSocket({
      hostname: "127.0.0.2",
      port: localPort,
      socket: { data: (_, bytes) => void answers.push(bytes.toString()) },
    });
  const isRoot = process.getuid?.() === 0;
  const sockets = [await client(port), await client(0)];
  if (isRoot) sockets.push(await client(0x3ff - (process.pid % 200)));
  sockets[0]!.send("own port", port, "127.0.0.1");
  if (isRoot) sockets[2]!.send("low port", port, "127.0.0.1");
  sockets[1]!.send("any port", port, "127.0.0.1");
  await until("the last is answered", () => answers.length > 0);
  await Bun.sleep(50);
  assert.deepEqual(answers, ["any port"]);
  const { total } = await server.snapshot();
  assert.equal(total.dropped, isRoot ? 2 : 1);
  assert.equal(total.messages, 1);
  for (const socket of sockets) socket.close();
});

test("run() survives random bytes on every listener", async () => {
  const endpoints = schemes.map((scheme) => `${scheme}://127.0.0.1:0`);
  await using server = await LocalServer.start(endpoints);
  const udp = await Bun.udpSocket({ hostname: "127.0.0.1", socket: { data: () => {} } });
  for (let round = 0; round < 20; round++) {
    for (const { scheme, port } of server.endpoints) {
      const garbage = randomBytes(1 + Math.floor(Math.random() * 1_400));
      if (scheme === "udp" || scheme === "quic") {
        udp.send(garbage, port, "127.0.0.1");
        continue;
      }
      const socket = await open(port);
      socket.resume();
      if (round % 2 === 0) socket.end(garbage);
      else socket.write(garbage, () => setTimeout(() => socket.destroy(), 50));
    }
  }
  udp.close();
  await server.snapshotWith("all are gone", ({ total }) => total.open === 0, 30_000);
  const socket = await open(server.portOf("tcp"));
  assert.equal((await echoed(socket, Buffer.from("alive"))).toString(), "alive");
  socket.destroy();
}, 90_000);

test("run() binds all endpoints or none", async () => {
  const taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const freePort = free.port;
  free.stop(true);
  const endpoints = [`tcp://127.0.0.1:${freePort}`, `tcp://127.0.0.1:${taken.port}`];
  await assert.rejects(LocalServer.start(endpoints), (error) => {
    assert.ok(error instanceof HostLimitError);
    return error.message.includes(endpoints[1]!) && !error.message.includes("\n");
  });
  const again = Bun.listen({ hostname: "127.0.0.1", port: freePort, socket: { data: () => {} } });
  again.stop(true);

  await using child = await ChildServer.start(endpoints);
  assert.equal(await child.ended(), 5);
  assert.equal(child.noteLines.length, 1);
  assert.match(child.noteLines[0]!, /^holdfast: cannot listen on tcp:.* in use/);
  taken.stop(true);
}, 60_000);

test("run() refuses bad endpoints and options before it binds anything", async () => {
  const cases: [string[], Parameters<typeof LocalServer.start>[1]][] = [
    [["tcp://127.0.0.1:0", "gopher://:70"], {}],
    [["tcp://127.0.0.1:65536"], {}],
    [["tcp://127.0.0.1:0"], { maxMessageBytes: 5 }],
    [["udp://127.0.0.1:0"], { writeCertDirectory: directory }],
    [["tcp://127.0.0.1:0"], { labels: [{ key: "a", value: "1" }, { key: "a", value: "2" }] }],
  ];
  for (const [positional, changes] of cases) {
    await assert.rejects(LocalServer.start(positional, changes), UsageError);
  }
  const unwritable = { jsonFile: join(directory, "missing", "file.json") };
  await assert.rejects(LocalServer.start(["tcp://127.0.0.1:0"], unwritable), FileError);
});

test("run() ends on SIGTERM: nobody new, a final report, exit code 0", async () => {
  await using server = await ChildServer.start([
    "tcp://127.0.0.1:0",
    "ws://127.0.0.1:0",
    "quic://127.0.0.1:0", // the runtime would warn of it
  ]);
  const socket = await open(server.portOf("tcp"));
  assert.equal((await echoed(socket, Buffer.from("hello"))).toString(), "hello");
  server.kill("SIGTERM");
  for await (const _ of socket); // ends in order
  socket.destroy();
  assert.equal(await server.ended(), 0);
  // Columns stand apart by two spaces or more, and their names say what they are.
  const rows = server.outLines.map((line) => line.trim().split(/\s{2,}/));
  const header = rows.find(([name]) => name === "endpoint") ?? [];
  const row = rows.find(([name]) => name === `tcp://127.0.0.1:${server.portOf("tcp")}`) ?? [];
  const figure = (name: string) => row[header.indexOf(name)];
  const figures = ["open", "accepted", "closed", "messages", "received", "sent"].map(figure);
  assert.deepEqual(figures, ["0", "1", "1", "1", "5 B", "5 B"]);
  assert.deepEqual(server.noteLines, []);
}, 60_000);

test("run() ends after --duration and keeps the report as JSON", async () => {
  const jsonFile = join(directory, "report.json");
  const labels = [{ key: "site", value: "here" }];
  await using server = await LocalServer.start(["tcp://127.0.0.1:0"], {
    durationMs: 700,
    reportEveryMs: 100,
    jsonFile,
    labels,
  });
  const socket = await open(server.portOf("tcp"));
  await echoed(socket, Buffer.from("four"));
  assert.equal(await server.ended, 0);
  const snapshot = parseSnapshot(JSON.parse(readFileSync(jsonFile, "utf8")));
  assert.ok(snapshot.role === "server");
  assert.equal(snapshot.total.bytesReceived, 4);
  assert.equal(snapshot.total.open, 0);
  assert.equal(snapshot.total.closed, 1);
  assert.deepEqual(snapshot.run.labels, { site: "here" });
  assert.ok(snapshot.elapsedMs >= 700);
  assert.ok(server.outLines.some((line) => line.includes("1 open")), "a line each 100 ms");
  socket.destroy();
});

test("run() with --quiet prints the endpoints and the final report only", async () => {
  await using server = await LocalServer.start(["tcp://127.0.0.1:0"], {
    durationMs: 300,
    reportEveryMs: 20,
    quiet: true,
  });
  await server.ended;
  assert.ok(!server.outLines.some((line) => line.includes(" open  ") && line.includes("msgs")));
  assert.ok(server.outLines.some((line) => line.startsWith("holdfast server")));
});
