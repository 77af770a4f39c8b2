import { test } from "bun:test";
import assert from "node:assert/strict";
import { readSources } from "../../lib/host/source_pairs.ts";

const onLinux = process.platform === "linux" ? test : test.skip;
const range = { first: 20_000, last: 20_099 };

/** A listener on loopback and connections to it from some of the range. */
async function connected(count: number) {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const sockets: Bun.Socket[] = [];
  for (let port = range.first; sockets.length < count && port <= range.last; port++) {
    const options = { hostname: "127.0.0.1", port: listener.port, socket: { data() {} } };
    const bound = { ...options, localAddress: "127.0.0.1", localPort: port };
    try {
      sockets.push(await Bun.connect(bound));
    } catch {
      // Somebody has the port.
    }
  }
  return {
    target: { addresses: ["127.0.0.1"], port: listener.port },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.terminate();
      listener.stop(true);
    },
  };
}

onLinux("readSources() leaves out what leads to the target already", async () => {
  using some = await connected(10);
  const question = { protocol: "tcp", addresses: ["127.0.0.1"], ports: range } as const;
  const here = readSources({ ...question, target: some.target })!;
  assert.ok(here.inUse >= 10, `${here.inUse}`);
  assert.equal(here.free, 100 - here.inUse);
  assert.equal(here.isKernelsRange, false);
  const elsewhere = readSources({ ...question, target: { ...some.target, port: 9 } })!;
  assert.equal(elsewhere.free, here.free + 10);
});

onLinux("readSources() counts an address as often as there are ports on it", () => {
  const addresses = ["127.0.0.2", "127.0.0.3", "127.0.0.4"];
  const { free, inUse, addresses: count } = readSources({
    protocol: "udp",
    addresses,
    ports: range,
    target: { addresses: ["127.0.0.1"], port: 9 },
  })!;
  assert.deepEqual([free + inUse, count], [300, 3]);
});

onLinux("readSources() spreads over 127.0.0.0/8 where the kernel chooses", () => {
  const spread = readSources({
    protocol: "tcp",
    target: { addresses: ["127.0.0.1"], port: 9 },
    routeAddress: "127.0.0.1",
  })!;
  assert.equal(spread.isSpread, true);
  assert.ok(spread.free > 65_000 * 1000);
  const single = readSources({
    protocol: "tcp",
    target: { addresses: ["::1"], port: 9 },
    routeAddress: "::1",
  })!;
  assert.equal(single.isSpread, false);
  assert.ok(single.free < 65_536);
});
