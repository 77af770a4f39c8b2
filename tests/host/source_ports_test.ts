import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import { SourcePorts, type SourcePortSettings } from "../../lib/host/source_ports.ts";
import { portUse, readUsedPorts, UsedPorts } from "../../lib/host/used_ports.ts";

const onLinux = process.platform === "linux";

function pairsOf(ports: SourcePorts, most = Infinity): string[] {
  const pairs: string[] = [];
  while (pairs.length < most && ports.next() >= 0) pairs.push(`${ports.address}:${ports.port}`);
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
  assert.equal(ports.next(), -1);
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

test("next() skips exceptions and counts them out", () => {
  const exceptPorts = [{ first: 1, last: 5 }, { first: 7, last: 7 }, { first: 7, last: 7 }];
  const used = new UsedPorts();
  used.add("", 7);
  used.add("", 9);
  const addresses = ["10.0.0.1", "10.0.0.2"];
  const ports = new SourcePorts({ addresses, firstPort: 5, lastPort: 9, exceptPorts, used });
  assert.equal(ports.free, 4);
  assert.deepEqual(pairsOf(ports), ["10.0.0.1:6", "10.0.0.2:6", "10.0.0.1:8", "10.0.0.2:8"]);
});

test("next() gives what connections to other targets share last", () => {
  const used = new UsedPorts();
  used.add("10.0.0.1", 5, true);
  used.add("10.0.0.1", 6);
  used.add("10.0.0.1", 6, true);
  const ports = new SourcePorts({ addresses: ["10.0.0.1"], firstPort: 5, lastPort: 7, used });
  assert.equal(ports.free, 2);
  assert.deepEqual(pairsOf(ports), ["10.0.0.1:7", "10.0.0.1:5"]);
});

test("release() puts a pair back, behind those that had no turn yet", () => {
  const settings = { addresses: ["10.0.0.1"], firstPort: 5, lastPort: 7, used: none };
  const ports = new SourcePorts(settings);
  const first = ports.next();
  ports.release(first);
  assert.equal(ports.free, 3);
  assert.deepEqual(pairsOf(ports), ["10.0.0.1:6", "10.0.0.1:7", "10.0.0.1:5"]);
  // The oldest comes first, however many rounds there are.
  const handedOut = [1, 2, 0];
  for (let round = 0; round < 5000; round++) {
    const pair = handedOut.shift()!;
    ports.release(pair);
    assert.equal(ports.free, 1);
    assert.equal(ports.next(), pair);
    handedOut.push(pair);
    assert.equal(ports.next(), -1);
  }
});

test("SourcePorts of several shares have each pair once, and are of one size", () => {
  const used = new UsedPorts();
  used.add("10.0.0.1", 6);
  used.add("", 9);
  for (const addressCount of [1, 2, 3, 7]) {
    const addresses = Array.from({ length: addressCount }, (_, i) => `10.0.0.${i + 1}`);
    const whole: SourcePortSettings = { addresses, firstPort: 5, lastPort: 40, used, startAt: 11 };
    for (const count of [1, 2, 3, 5, 60]) {
      const shares = Array.from(
        { length: count },
        (_, index) => new SourcePorts({ ...whole, share: { index, count } }),
      );
      const all = shares.flatMap((share) => {
        const free = share.free;
        const pairs = pairsOf(share);
        assert.equal(pairs.length, free);
        return pairs;
      });
      assert.equal(new Set(all).size, all.length);
      assert.deepEqual(all.sort(), pairsOf(new SourcePorts(whole)).sort());
      const sizes = shares.map((share) => pairsOf(share).length);
      assert.deepEqual(sizes, shares.map(() => 0));
    }
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
    assert.equal(used.useOf("127.0.0.1", one.port), portUse.taken);
    assert.equal(used.useOf("127.0.0.2", one.port), portUse.free);
    assert.equal(used.useOf("::1", six.port), portUse.taken);
    assert.equal(used.useOf("0.0.0.0", one.port), portUse.taken);
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
    assert.equal(new SourcePorts({ addresses, firstPort: port, lastPort: port }).next(), -1);
  } finally {
    everywhere.stop(true);
  }
});

test.if(onLinux)(
  "readUsedPorts() tells what leads to the target from what leads elsewhere",
  async () => {
    const listen = () => Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    using one = listen();
    using other = listen();
    const options = {
      hostname: "127.0.0.1",
      port: one.port,
      localAddress: "127.0.0.21",
      localPort: 0,
      socket: { data() {} },
    };
    const socket = await Bun.connect(options);
    try {
      const port = socket.localPort;
      const useTowards = (target: number, at = "127.0.0.21") =>
        readUsedPorts("tcp", { addresses: ["127.0.0.1"], port: target }).useOf(at, port);
      assert.equal(useTowards(one.port), portUse.taken);
      assert.equal(useTowards(one.port, "0.0.0.0"), portUse.taken);
      assert.equal(useTowards(other.port), portUse.shared);
      assert.equal(useTowards(other.port, "127.0.0.22"), portUse.free);
      const shared = { ...options, port: other.port, localPort: port };
      const second = await Bun.connect(shared);
      assert.equal(second.localPort, port, "the kernel shares it too");
      second.terminate();
    } finally {
      socket.terminate();
    }
  },
);

test.if(onLinux)("SourcePorts learns of UDP sockets for UDP", async () => {
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1" });
  try {
    const settings = { addresses: ["127.0.0.1"], firstPort: socket.port, lastPort: socket.port };
    assert.equal(new SourcePorts({ ...settings, protocol: "udp" }).free, 0);
    assert.equal(readUsedPorts("udp").useOf("127.0.0.1", socket.port), portUse.taken);
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
    while (sockets.length < 200 && ports.next() >= 0) {
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
