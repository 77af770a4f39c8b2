import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import { SourcePorts } from "../../lib/host/source_ports.ts";
import {
  canonicalAddress,
  parseSocketTable,
  readUsedPorts,
  UsedPorts,
} from "../../lib/host/used_ports.ts";

const onLinux = process.platform === "linux";

function pairsOf(ports: SourcePorts, most = Infinity): string[] {
  const pairs: string[] = [];
  while (pairs.length < most && ports.next()) pairs.push(`${ports.address}:${ports.port}`);
  return pairs;
}

const none = new UsedPorts();

test("next() lets the addresses take turns and ends after every pair", () => {
  const settings = { addresses: ["10.0.0.1", "10.0.0.2"], firstPort: 5, lastPort: 7, used: none };
  const ports = new SourcePorts(settings);
  assert.equal(ports.free, 6);
  assert.deepEqual(pairsOf(ports), [
    "10.0.0.1:5",
    "10.0.0.2:5",
    "10.0.0.1:6",
    "10.0.0.2:6",
    "10.0.0.1:7",
    "10.0.0.2:7",
  ]);
  assert.equal(ports.free, 0);
  assert.equal(ports.next(), false);
  assert.equal(`${ports.address}:${ports.port}`, "10.0.0.2:7");
});

test("next() starts where startAt says and comes round", () => {
  const settings = { addresses: ["::1"], firstPort: 100, lastPort: 103, used: none };
  const portsFrom = (startAt: number) => {
    const ports = new SourcePorts({ ...settings, startAt });
    return pairsOf(ports).map((pair) => pair.slice(4));
  };
  assert.deepEqual(portsFrom(2), ["102", "103", "100", "101"]);
  assert.deepEqual(portsFrom(4 * 1000 + 3), ["103", "100", "101", "102"]);
  assert.deepEqual(portsFrom(-1), ["103", "100", "101", "102"]);
});

test("next() skips what is in use, per address and on every address", () => {
  const used = new UsedPorts();
  used.add("10.0.0.1", 6);
  used.add("", 7);
  const addresses = ["10.0.0.1", "10.0.0.2"];
  const ports = new SourcePorts({ addresses, firstPort: 5, lastPort: 8, used });
  assert.equal(ports.free, 5);
  const left = ["10.0.0.1:5", "10.0.0.2:5", "10.0.0.2:6", "10.0.0.1:8", "10.0.0.2:8"];
  assert.deepEqual(pairsOf(ports), left);
});

test("release() puts a pair back, once", () => {
  const settings = { addresses: ["10.0.0.1"], firstPort: 5, lastPort: 7, used: none };
  const ports = new SourcePorts(settings);
  pairsOf(ports);
  ports.release("10.0.0.1", 6);
  ports.release("10.0.0.1", 6);
  ports.release("10.0.0.1", 99);
  ports.release("10.9.9.9", 6);
  assert.deepEqual(pairsOf(ports), ["10.0.0.1:6"]);
  for (let round = 0; round < 100; round++) {
    ports.release("10.0.0.1", 5 + round % 3);
    assert.equal(pairsOf(ports).length, 1);
  }
});

test("SourcePorts refuses what is no table", () => {
  const refuse = (addresses: string[], firstPort: number, lastPort: number) =>
    assert.throws(
      () => new SourcePorts({ addresses, firstPort, lastPort, used: none }),
      UsageError,
    );
  refuse([], 1, 2);
  refuse(["localhost"], 1, 2);
  refuse(["300.0.0.1"], 1, 2);
  refuse(["127.0.0.1"], 0, 2);
  refuse(["127.0.0.1"], 5, 4);
  refuse(["127.0.0.1"], 5, 65536);
  refuse(["127.0.0.1"], 1.5, 2);
});

test.if(onLinux)("SourcePorts learns from the kernel which pairs are in use", () => {
  const listen = (hostname: string) => Bun.listen({ hostname, port: 0, socket: { data() {} } });
  const one = listen("127.0.0.1");
  const six = listen("::1");
  try {
    const used = readUsedPorts("tcp");
    assert.equal(used.has("127.0.0.1", one.port), true);
    assert.equal(used.has("127.0.0.2", one.port), false);
    assert.equal(used.has("::1", six.port), true);
    const addresses = ["127.0.0.1", "127.0.0.2"];
    const table = new SourcePorts({ addresses, firstPort: one.port, lastPort: one.port });
    assert.deepEqual(pairsOf(table), [`127.0.0.2:${one.port}`]);
  } finally {
    one.stop(true);
    six.stop(true);
  }
  const everywhere = listen("::");
  try {
    const { port } = everywhere;
    const addresses = ["127.0.0.1", "::1", "127.9.9.9"];
    assert.equal(new SourcePorts({ addresses, firstPort: port, lastPort: port }).next(), false);
  } finally {
    everywhere.stop(true);
  }
});

test.if(onLinux)("SourcePorts learns of UDP sockets for UDP", async () => {
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1" });
  try {
    const settings = { addresses: ["127.0.0.1"], firstPort: socket.port, lastPort: socket.port };
    assert.equal(new SourcePorts({ ...settings, protocol: "udp" }).free, 0);
    assert.equal(readUsedPorts("udp").has("127.0.0.1", socket.port), true);
  } finally {
    socket.close();
  }
});

test.if(onLinux)("next() gives pairs that connections can be bound to, each once", async () => {
  const seen = new Set<string>();
  let opened = 0;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        opened++;
        seen.add(`${socket.remoteAddress}:${socket.remotePort}`);
      },
      data() {},
    },
  });
  const ports = new SourcePorts({
    addresses: ["127.0.0.1", "127.0.0.77"],
    firstPort: 20_000,
    lastPort: 30_000,
    startAt: 10_007,
  });
  const sockets: Bun.Socket[] = [];
  const given: string[] = [];
  try {
    while (sockets.length < 200 && ports.next()) {
      const options = {
        hostname: "127.0.0.1",
        port: listener.port,
        localAddress: ports.address,
        localPort: ports.port,
        socket: { data() {}, error() {}, connectError() {} },
      };
      try {
        sockets.push(await Bun.connect(options));
        given.push(`${ports.address}:${ports.port}`);
      } catch {
        // Somebody took the pair since the table was made.
      }
    }
    for (let i = 0; i < 200 && opened < 200; i++) await Bun.sleep(10);
    assert.equal(opened, 200);
    assert.deepEqual([...seen].sort(), given.sort());
  } finally {
    for (const socket of sockets) socket.terminate();
    listener.stop(true);
  }
}, 30_000);

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 113
   1: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 113
  12: 4D00007F:D431 0100007F:1F90 06 00000000:00000000 00:00000000 00000000     0        0 113
   0: 00000000000000000000000001000000:1F91 00000000000000000000000000000000:0000 0A 00000000:0
   1: 0000000000000000FFFF00000200007F:1F92 00000000000000000000000000000000:0000 0A 00000000:0
   2: B80D0120000000000000000001000000:1F93 00000000000000000000000000000000:0000 0A 00000000:0
   3: 00000000000000000000000000000000:1F94 00000000000000000000000000000000:0000 0A 00000000:0
`;

test("parseSocketTable() reads both families, mapped addresses and wildcards", () => {
  const used = new UsedPorts();
  parseSocketTable(table, used);
  const expected: [string, number][] = [
    ["127.0.0.1", 0x1f90],
    ["9.9.9.9", 0x07e8],
    ["127.0.0.77", 0xd431],
    ["::1", 0x1f91],
    ["127.0.0.2", 0x1f92],
    ["2001:db8::1", 0x1f93],
    ["::1", 0x1f94],
    ["1.2.3.4", 0x1f94],
  ];
  for (const [address, port] of expected) assert.ok(used.has(address, port), `${address}:${port}`);
  assert.equal(used.has("127.0.0.2", 0x1f90), false);
  assert.equal(used.has("127.0.0.1", 0x1f91), false);
});

test("parseSocketTable() takes truncated and random text without error", () => {
  for (let end = 0; end < table.length; end++) {
    parseSocketTable(table.slice(0, end), new UsedPorts());
    parseSocketTable(table.slice(end), new UsedPorts());
  }
  const bytes = new Uint8Array(20_000);
  crypto.getRandomValues(bytes);
  parseSocketTable(Buffer.from(bytes).toString("latin1"), new UsedPorts());
});

test("canonicalAddress() gives one spelling, and none to what is no address", () => {
  const same: Record<string, string> = {
    "127.0.0.1": "127.0.0.1",
    "::1": "::1",
    "[::1]": "::1",
    "0:0:0:0:0:0:0:1": "::1",
    "2001:DB8:0:0::01": "2001:db8::1",
    "fe80::1%eth0": "fe80::1",
    "::ffff:10.1.2.3": "10.1.2.3",
    "::ffff:a01:203": "10.1.2.3",
  };
  for (const [text, canonical] of Object.entries(same)) {
    assert.equal(canonicalAddress(text), canonical);
  }
  for (const text of ["", "localhost", "1.2.3", "256.1.1.1", "::g", "1:2:3", "a.b", "[", "::1/x"]) {
    assert.equal(canonicalAddress(text), undefined, text);
  }
});
