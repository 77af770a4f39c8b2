import { test } from "bun:test";
import assert from "node:assert/strict";
import { msgpack } from "../../../lib/wamp/serialization/msgpack.ts";
import { until } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";
import { withTwoRouters } from "./router_processes.ts";

test(
  "what a router has acknowledged arrives behind its links, even if it is killed then",
  async () => {
    await withTwoRouters(async (one, other) => {
      const subscriber = await RawClient.join(other.ws, {}, msgpack);
      await subscriber.ask([32, 1, {}, "com.example.a"]);
      const clients = await Promise.all(
        Array.from({ length: 30 }, () => RawClient.join(one.ws, {}, msgpack)),
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
      await until(() => acknowledged.size > 200, 20_000);
      one.process.kill("SIGKILL");
      await Promise.all(publishing);
      const received = () => new Set(subscriber.received.map(([, , id]) => id));
      const endMs = performance.now() + 5000;
      while (!acknowledged.isSubsetOf(received()) && performance.now() < endMs) await Bun.sleep(10);
      assert.deepEqual([...acknowledged.difference(received())], []);
      assert.equal(received().size, subscriber.received.length, "an event came twice");
      subscriber.close();
    });
  },
  40_000,
);
