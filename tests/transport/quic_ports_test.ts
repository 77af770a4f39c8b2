import { test } from "bun:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { HostLimitError, UsageError } from "../../lib/errors.ts";
import { quic } from "../../lib/transport/quic.ts";
import {
  certificate,
  dial,
  echo,
  endpointAt,
  expectNoRejections,
  freeRange,
  holdPort,
  serve,
  settle,
} from "./quic_loopback.ts";
import {
  dialSettings,
  EchoRecorder,
  listenSettings,
  pattern,
  Recorder,
  until,
} from "./recorder.ts";

expectNoRejections();

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
