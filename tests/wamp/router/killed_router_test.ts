import { test } from "bun:test";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { msgpack } from "../../../lib/wamp/serialization/msgpack.ts";
import { RawClient } from "./raw_client.ts";

const root = join(import.meta.dir, "../../..");

/** Ports that are free now. */
function freePorts(count: number): number[] {
  const listeners = Array.from(
    { length: count },
    () => Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }),
  );
  const ports = listeners.map(({ port }) => port);
  for (const listener of listeners) listener.stop(true);
  return ports;
}

function startRouter(config: string, node: string) {
  const command = [process.execPath, "mod.ts", "wamp", "router", "--config", config];
  return Bun.spawn([...command, "--node", node, "--stats", "off", "--quiet"], {
    cwd: root,
    stdout: "ignore",
    stderr: "ignore",
  });
}

/** Waits until a router has a link that is up. */
async function linked(port: number): Promise<void> {
  const endMs = performance.now() + 15_000;
  while (performance.now() < endMs) {
    try {
      const stats = await (await fetch(`http://127.0.0.1:${port}/stats`)).json();
      const { links } = stats as { links: { state: string }[] };
      if (links.some(({ state }) => state === "up")) return;
    } catch {
      // It does not listen yet.
    }
    await Bun.sleep(20);
  }
  throw new Error(`the router at port ${port} has no link`);
}

test(
  "what a router has acknowledged arrives behind its links, even if it is killed then",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-killed-"));
    const config = join(folder, "cluster.json");
    const [ws1 = 0, rs1 = 0, ws2 = 0, rs2 = 0] = freePorts(4);
    const nodes = [
      { node: "node1", listen: [`ws://127.0.0.1:${ws1}/ws`, `rs://127.0.0.1:${rs1}`] },
      { node: "node2", listen: [`ws://127.0.0.1:${ws2}/ws`, `rs://127.0.0.1:${rs2}`] },
    ];
    writeFileSync(config, JSON.stringify({ nodes, linkKey: "link.key" }));
    const one = startRouter(config, "node1");
    const other = startRouter(config, "node2");
    try {
      await Promise.all([linked(ws1), linked(ws2)]);
      const there = `ws://127.0.0.1:${ws1}/ws`;
      const subscriber = await RawClient.join(`ws://127.0.0.1:${ws2}/ws`, {}, msgpack);
      await subscriber.ask([32, 1, {}, "com.example.a"]);
      const clients = await Promise.all(
        Array.from({ length: 30 }, () => RawClient.join(there, {}, msgpack)),
      );
      for (const client of clients) await client.ask([32, 1, {}, "com.example.a"]);
      // Each publishes again when it has its acknowledgement; the events to the others are not of interest.
      const acknowledged = new Set<number>();
      let request = 1;
      const publishing = clients.map(async (client) => {
        const publish = () =>
          client.send([16, ++request, { acknowledge: true }, "com.example.a", [
            new Uint8Array(99),
          ]]);
        publish();
        for (;;) {
          const [code, , id] = await client.next().catch(() => [0, 0, 0]);
          if (code === 0) return;
          if (code !== 17) continue;
          acknowledged.add(id as number);
          publish();
        }
      });
      await Bun.sleep(500);
      one.kill("SIGKILL");
      await Promise.all(publishing);
      assert.ok(acknowledged.size > 100, `only ${acknowledged.size} were acknowledged`);
      const received = () => new Set(subscriber.received.map(([, , id]) => id));
      const endMs = performance.now() + 5000;
      while (!acknowledged.isSubsetOf(received()) && performance.now() < endMs) await Bun.sleep(10);
      assert.deepEqual([...acknowledged.difference(received())], []);
      assert.equal(received().size, subscriber.received.length, "an event came twice");
      subscriber.close();
    } finally {
      one.kill("SIGKILL");
      other.kill("SIGKILL");
      rmSync(folder, { recursive: true });
    }
  },
  40_000,
);
