import { test } from "bun:test";
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { Endpoint } from "../../lib/transport/endpoint.ts";
import type { ListenSettings } from "../../lib/transport/transport.ts";
import { udp } from "../../lib/transport/udp.ts";
import {
  dialSettings,
  EchoRecorder,
  listenSettings,
  pattern,
  Recorder,
  until,
} from "./recorder.ts";

function endpointOf(port: number, host = "127.0.0.1"): Endpoint {
  return { scheme: "udp", host, port, lastPort: port, path: "/" };
}

async function listen(own: Partial<ListenSettings> = {}, host = "127.0.0.1", port = 0) {
  const server = new EchoRecorder();
  let dropped = 0;
  const settings = listenSettings([], { dropped: () => dropped++, ...own });
  const listener = await udp.listen(endpointOf(port, host), server, settings);
  server.connections = listener;
  return { listener, server, port: listener.endpoint.port, dropped: () => dropped };
}

async function bound(port: number, address: string): Promise<Socket & { answers: string[] }> {
  const socket = Object.assign(createSocket("udp4"), { answers: [] as string[] });
  socket.on("message", (bytes) => socket.answers.push(String(bytes)));
  socket.bind(port, address);
  await once(socket, "listening");
  return socket;
}

/** Sends until one of the conditions holds; datagrams may be lost. */
async function sendUntil(socket: Socket, text: string, port: number, holds: () => boolean) {
  const deadline = performance.now() + 20_000;
  while (!holds() && performance.now() < deadline) {
    await new Promise((done) => socket.send(text, port, "127.0.0.1", done));
    await Bun.sleep(20);
  }
  assert.ok(holds(), `nothing came of ${text}`);
}

test("udp.listen() never answers a datagram from its own port number", async () => {
  const { listener, server, port, dropped } = await listen();
  const twin = await bound(port, "127.0.0.2");
  await sendUntil(twin, "from the same port", port, () => dropped() > 0);
  const client = await bound(0, "127.0.0.1");
  await sendUntil(client, "from elsewhere", port, () => client.answers.length > 0);
  assert.deepEqual(twin.answers, []);
  assert.equal(server.of(0).bytes % "from elsewhere".length, 0);
  twin.close();
  client.close();
  await listener.shutdown();
});

const mayBind = await bound(1023, "127.0.0.1").then(
  (socket) => (socket.close(), true),
  () => false,
);
test.skipIf(!mayBind)(
  "udp.listen() never answers a datagram from a port below 1024 (needs the right to bind one)",
  async () => {
    const { listener, server, port, dropped } = await listen();
    const service = await bound(1023, "127.0.0.1");
    await sendUntil(service, "from a service", port, () => dropped() > 0);
    const client = await bound(1024, "127.0.0.1");
    await sendUntil(client, "from a client", port, () => client.answers.length > 0);
    assert.deepEqual(service.answers, []);
    assert.equal(server.of(0).bytes % "from a client".length, 0);
    service.close();
    client.close();
    await listener.shutdown();
  },
);

test("two echo servers of one port number do not feed each other", async () => {
  const first = await listen();
  const second = await listen({ reusePort: true }, "127.0.0.2", first.port);
  // Forges a question from the second to the first, by sharing the second's address.
  const options = { hostname: "127.0.0.2", port: first.port, flags: 4 };
  const forger = await Bun.udpSocket(options);
  for (let tries = 0; first.dropped() === 0 && tries < 100; tries++) {
    forger.send("go", first.port, "127.0.0.1");
    await Bun.sleep(20);
  }
  forger.close();
  assert.ok(first.dropped() > 0);
  await Bun.sleep(100);
  assert.equal(first.server.of(0).bytes, 0);
  assert.equal(second.server.of(0).bytes, 0);
  await first.listener.shutdown();
  await second.listener.shutdown();
});

test("send() on a listener answers only while a datagram is being handled", async () => {
  const { listener, port } = await listen();
  const bytes = pattern(10);
  assert.equal(listener.send(0, bytes, 0, 10, 10), 0);
  const client = await bound(0, "127.0.0.1");
  await sendUntil(client, "x", port, () => client.answers.length > 0);
  assert.equal(listener.send(0, bytes, 0, 10, 10), 0);
  assert.equal(listener.send(1, bytes, 0, 10, 10), 0);
  client.close();
  await listener.shutdown();
});

test("a client that is gone does not cost others their answers", async () => {
  const { listener, port } = await listen();
  const client = await bound(0, "127.0.0.1");
  for (let round = 0; round < 20; round++) {
    const gone = await bound(0, "127.0.0.1");
    await new Promise((done) => gone.send("asked and left", port, "127.0.0.1", done));
    gone.close(); // the answer meets nobody, and ICMP says so to the listener
    const before = client.answers.length;
    await new Promise((done) => client.send(`question ${round}`, port, "127.0.0.1", done));
    await until(() => client.answers.length > before, `answer ${round}`, 5000);
  }
  client.close();
  await listener.shutdown();
});

test("udp.listen() answers IPv4 and IPv6 where no host is given", async () => {
  const { listener, port } = await listen({}, "");
  for (const host of ["127.0.0.1", "::1"]) {
    const client = new Recorder("dialer");
    const dialer = await udp.dial(endpointOf(port, host), client, dialSettings(1));
    dialer.connect(0);
    await until(() => client.of(0).isOpen, `open to ${host}`);
    for (let tries = 0; client.of(0).bytes === 0 && tries < 20; tries++) {
      dialer.send(0, pattern(5), 0, 5, 5);
      await Bun.sleep(20);
    }
    assert.ok(client.of(0).bytes > 0, host);
    await dialer.shutdown();
  }
  await listener.shutdown();
});

test("udp.listen() shares a port only when it is told to", async () => {
  const first = await listen({ reusePort: true });
  const second = await listen({ reusePort: true }, "127.0.0.1", first.port);
  assert.equal(second.port, first.port);
  await assert.rejects(listen({}, "127.0.0.1", first.port), /in use/);
  await first.listener.shutdown();
  await second.listener.shutdown();
});

test("udp.dial() sends what is too long for a datagram nowhere, and says so", async () => {
  const { listener, port } = await listen();
  const client = new Recorder("dialer");
  const dialer = await udp.dial(endpointOf(port), client, dialSettings(1));
  dialer.connect(0);
  await until(() => client.of(0).isOpen, "open");
  const sizeBytes = dialer.traits.maxMessageBytes + 1;
  assert.equal(dialer.send(0, new Uint8Array(sizeBytes), 0, sizeBytes, sizeBytes), 0);
  assert.equal(client.of(0).failure?.kind, "protocol");
  assert.equal(client.of(0).closes, 1);
  await dialer.shutdown();
  await listener.shutdown();
});

test("udp.dial() connects from the given sources, and skips those that are taken", async () => {
  const { listener, port } = await listen();
  const taken = await bound(0, "127.0.0.1");
  const free = await bound(0, "127.0.0.3");
  const pairs = [["127.0.0.1", taken.address().port], ["127.0.0.3", free.address().port]] as const;
  free.close();
  await Bun.sleep(10);
  let index = -1;
  const released: number[] = [];
  const sources = {
    hasFamily: () => true,
    next: () => ++index < pairs.length ? index : -1,
    release: (pair: number) => void released.push(pair),
    get address() {
      return pairs[index]![0];
    },
    get port() {
      return pairs[index]![1];
    },
  };
  const client = new Recorder("dialer");
  const dialer = await udp.dial(endpointOf(port), client, dialSettings(2, { sources }));
  dialer.connect(0);
  await until(() => client.of(0).opens + client.of(0).closes > 0, "open");
  assert.ok(client.of(0).isOpen, client.of(0).failure?.detail);
  assert.equal(index, 1);
  dialer.connect(1);
  await until(() => client.of(1).closes === 1, "no source is left");
  assert.equal(client.of(1).failure?.kind, "host-ports");
  assert.deepEqual(released, [0]);
  dialer.terminate(0);
  assert.deepEqual(released, [0, 1]);
  taken.close();
  await dialer.shutdown();
  await listener.shutdown();
});
