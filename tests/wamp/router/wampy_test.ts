import { test } from "bun:test";
import assert from "node:assert/strict";
import { Wampy } from "wampy";
import { CborSerializer } from "wampy/CborSerializer.js";
import { JsonSerializer } from "wampy/JsonSerializer.js";
import { MsgpackSerializer } from "wampy/MsgpackSerializer.js";
import { until, withRouter } from "./local_router.ts";

test("wampy publishes, subscribes, calls and registers with every serializer", async () => {
  await withRouter(async ({ ws, router, notes }) => {
    const names = ["json", "msgpack", "cbor"];
    const serializers = [new JsonSerializer(), new MsgpackSerializer(), new CborSerializer()];
    const clients = serializers.map((serializer) =>
      new Wampy(ws, {
        realm: "realm1",
        serializer,
        ws: WebSocket as never,
        maxRetries: 0,
        autoReconnect: false,
      })
    );
    const events: unknown[][] = [];
    for (const [index, client] of clients.entries()) {
      await client.connect();
      await client.subscribe("com.example.topic", ({ argsList, argsDict }) => {
        events.push([names[index], ...argsList ?? [], argsDict]);
      });
      await client.register(`com.wampy.${names[index]}`, ({ argsList = [], argsDict }) => {
        return { argsList: [...argsList].reverse(), argsDict: argsDict ?? {} };
      });
    }
    for (const [index, client] of clients.entries()) {
      const payload = { argsList: [names[index], 2 ** 31, [null, 1.5]], argsDict: { key: "ü" } };
      await client.publish("com.example.topic", payload);
      for (const name of names) {
        const { argsList, argsDict } = await client.call(`com.wampy.${name}`, payload);
        assert.deepEqual(argsList, payload.argsList.toReversed());
        assert.deepEqual({ ...argsDict }, payload.argsDict);
      }
      await assert.rejects(client.call("com.nobody", null));
    }
    await until(() => events.length === 6);
    for (const subscriber of names) {
      for (const publisher of names.filter((name) => name !== subscriber)) {
        const expected = [subscriber, publisher, 2 ** 31, [null, 1.5], { key: "ü" }];
        assert.ok(events.some((event) => Bun.deepEquals(event, expected)), String(expected));
      }
    }
    for (const client of clients) await client.disconnect();
    await until(() => router.counters.sessionsClosed === 3);
    assert.deepEqual(notes, []);
  });
});
