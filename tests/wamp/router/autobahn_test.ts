import { test } from "bun:test";
import assert from "node:assert/strict";
import { joinWithAutobahn, type SerializerName } from "./autobahn_client.ts";
import { until, withRouter } from "./local_router.ts";

const names: readonly SerializerName[] = ["json", "msgpack", "cbor"];

test("autobahn publishes, subscribes, calls and registers with every serializer", async () => {
  await withRouter(async ({ ws, router, notes }) => {
    const clients = await Promise.all(names.map((name) => joinWithAutobahn(ws, name)));
    const events: unknown[] = [];
    for (const [index, { session }] of clients.entries()) {
      await session.subscribe("com.example.topic", (args, kwargs) => {
        events.push([names[index], ...args, kwargs]);
      });
      await session.register(`com.example.add.${names[index]}`, (args) => {
        const [one, other] = args as number[];
        return one! + other!;
      });
      await session.register(`com.example.fail.${names[index]}`, () => {
        throw Object.assign(new Error(), { error: "com.example.failed", args: ["why"] });
      });
    }
    for (const [index, { session }] of clients.entries()) {
      const publisher = names[index]!;
      await session.publish("com.example.topic", [publisher, 2 ** 33, { deep: [1.5, null] }], {
        key: "ü",
      }, { acknowledge: true, exclude_me: false });
      for (const callee of names) {
        assert.equal(await session.call(`com.example.add.${callee}`, [2 ** 33, 5]), 2 ** 33 + 5);
        await assert.rejects(
          session.call(`com.example.fail.${callee}`),
          (error: { error?: string }) =>
            error.error === "com.example.failed" ||
            error.error === "wamp.error.runtime_error",
        );
      }
    }
    await until(() => events.length === 9);
    for (const subscriber of names) {
      for (const publisher of names) {
        const expected = [subscriber, publisher, 2 ** 33, { deep: [1.5, null] }, { key: "ü" }];
        assert.ok(events.some((event) => Bun.deepEquals(event, expected)), String(expected));
      }
    }
    assert.equal(router.counters.eventsLocal, 9);
    await Promise.all(clients.map((client) => client.close()));
    await until(() => router.counters.sessionsClosed === 3);
    assert.deepEqual(notes, []);
  });
});

test("autobahn joins over rawsocket", async () => {
  await withRouter(async ({ rs, ws }) => {
    const one = await joinWithAutobahn(rs, "json");
    const other = await joinWithAutobahn(ws, "cbor");
    await one.session.register("com.example.echo", (args) => args[0]);
    const long = "x".repeat(300_000);
    assert.equal(await other.session.call("com.example.echo", [long]), long);
    await one.close();
    await assert.rejects(
      other.session.call("com.example.echo", [1]),
      { error: "wamp.error.no_such_procedure" },
    );
    await other.close();
  });
});

test("autobahn gets progressive results", async () => {
  await withRouter(async ({ ws }) => {
    const callee = await joinWithAutobahn(ws, "msgpack");
    const caller = await joinWithAutobahn(ws, "json");
    await callee.session.register("com.example.count", (_args, _kwargs, details) => {
      for (let count = 1; count <= 3; count++) details.progress([count]);
      return "over";
    });
    const progress: unknown[] = [];
    const call = caller.session.call("com.example.count", [], {}, { receive_progress: true });
    // It is a deferred of the library's own, which tells progress to a third handler.
    const result = await new Promise((resolve, reject) => {
      const told = (value: unknown) => progress.push(value);
      (call as unknown as { then(...handlers: unknown[]): void }).then(resolve, reject, told);
    });
    assert.equal(result, "over");
    assert.deepEqual(progress, [1, 2, 3]);
    await Promise.all([caller.close(), callee.close()]);
  });
});
