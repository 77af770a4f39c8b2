import { test } from "bun:test";
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { ChildServer, LocalServer, until } from "./running_server.ts";
import { attempt, echoed, open } from "./socket_client.ts";

test("run() refuses above --max-connections, over all endpoints, and says so", async () => {
  await using server = await LocalServer.start(["tcp://127.0.0.1:0", "ws://127.0.0.1:0"], {
    maxConnections: 2,
  });
  const first = await open(server.portOf("tcp"));
  const webSocket = new WebSocket(`ws://127.0.0.1:${server.portOf("ws")}/`);
  await new Promise((resolve) => webSocket.onopen = resolve);
  await server.snapshotWith("both are in", ({ total }) => total.open === 2);

  const refused = await attempt(server.portOf("tcp"));
  await until("it is closed", () => refused.destroyed || refused.readableEnded);
  const upgrade = await fetch(`http://127.0.0.1:${server.portOf("ws")}/`, {
    headers: {
      Upgrade: "websocket",
      Connection: "Upgrade",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version": "13",
    },
  });
  assert.equal(upgrade.status, 503);
  const { total, endpoints } = await server.snapshot();
  assert.deepEqual(total.refused, { "max-connections": 2 });
  assert.deepEqual(endpoints.map(({ counts }) => counts.refused["max-connections"]), [1, 1]);
  assert.equal(total.accepted, 2);
  assert.ok(
    server.noteLines.some((line) => /^refused a connection: tcp:.*max-connections 2/.test(line)),
  );
  assert.equal((await echoed(first, Buffer.from("still"))).toString(), "still");

  first.destroy();
  await server.snapshotWith("there is room", ({ total }) => total.open === 1);
  const next = await open(server.portOf("tcp"));
  assert.equal((await echoed(next, Buffer.from("room"))).toString(), "room");
  next.destroy();
  webSocket.close();
}, 60_000);

test("run() closes idle connections and counts them", async () => {
  await using server = await LocalServer.start(["tcp://127.0.0.1:0", "ws://127.0.0.1:0"], {
    idleTimeoutMs: 300,
  });
  const socket = await open(server.portOf("tcp"));
  const webSocket = new WebSocket(`ws://127.0.0.1:${server.portOf("ws")}/`);
  await server.snapshotWith("both are in", ({ total }) => total.accepted === 2);
  const { total } = await server.snapshotWith("both are out", ({ total }) => total.open === 0);
  assert.equal(total.failures.find(({ kind }) => kind === "idle")?.count, 2);
  socket.destroy();
  webSocket.close();
});

test("run() refuses messages above --max-message and goes on", async () => {
  await using server = await LocalServer.start(["ws://127.0.0.1:0"], { maxMessageBytes: 1_000 });
  const socket = new WebSocket(`ws://127.0.0.1:${server.portOf("ws")}/`);
  await new Promise((resolve) => socket.onopen = resolve);
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.send(new Uint8Array(1_001));
  await closed;
  const { total } = await server.snapshotWith("it is out", ({ total }) => total.open === 0);
  assert.equal(total.failed, 1);
  assert.equal(total.failures[0]!.kind, "protocol");
});

test("run() at the descriptor limit serves those inside and says whom it refused", async () => {
  await using server = await ChildServer.start(["tcp://127.0.0.1:0"], 200);
  const port = server.portOf("tcp");
  const first = await open(port);
  const sockets: Socket[] = [];
  for (let i = 0; i < 300; i++) sockets.push(await attempt(port));
  const snapshot = await server.snapshotWith(
    "all are in or refused",
    ({ total }) => total.accepted + (total.refused["fd-limit"] ?? 0) >= 301,
    30_000,
  );
  const { open: openNow, refused } = snapshot.total;
  assert.ok(openNow > 50 && openNow < 200, `${openNow} are open`);
  assert.ok(refused["fd-limit"]! > 100);
  assert.ok(snapshot.process.openFds < 200);
  assert.equal((await echoed(first, Buffer.from("inside"))).toString(), "inside");
  await until("it says so", () => server.noteLines.some((line) => line.includes("fd-limit")));
  assert.ok(server.noteLines.length < 20, "without a line for each");

  for (const socket of sockets) socket.destroy();
  await server.snapshotWith("there is room", ({ total }) => total.open === 1);
  const next = await open(port);
  assert.equal((await echoed(next, Buffer.from("room"))).toString(), "room");
  first.destroy();
  next.destroy();
}, 90_000);

test("run() without any descriptor left serves those inside and says so", async () => {
  await using server = await ChildServer.start(["tcp://127.0.0.1:0", "ws://127.0.0.1:0"], 200);
  const inside = await open(server.portOf("tcp"));
  assert.equal((await echoed(inside, Buffer.from("before"))).toString(), "before");
  // Nothing tells the server of those that do not ask for an upgrade.
  const sockets = await Promise.all(
    Array.from({ length: 300 }, () => attempt(server.portOf("ws"))),
  );
  const isSaid = (text: string) => server.noteLines.some((line) => line.includes(text));
  await until("it says so", () => isSaid("no file descriptor is left"));
  assert.equal((await echoed(inside, Buffer.from("while"))).toString(), "while");
  for (const socket of sockets) socket.destroy();
  await until("it is over", () => isSaid("there are file descriptors again"), 30_000);
  assert.equal((await echoed(inside, Buffer.from("after"))).toString(), "after");
  inside.destroy();
  server.kill("SIGTERM");
  assert.equal(await server.ended(), 0);
}, 90_000);
