import { test } from "bun:test";
import assert from "node:assert/strict";
import { SourceTable } from "../../lib/host/source_table.ts";
import { tcp } from "../../lib/transport/tcp.ts";
import { FullListener } from "./full_listener.ts";
import type { SourceAddresses } from "../../lib/transport/transport.ts";
import { dialSettings, Recorder, until } from "./recorder.ts";
import { endpointOf, freePorts, nodeServer } from "./tcp_loopback.ts";

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
