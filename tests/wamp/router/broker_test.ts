import { test } from "bun:test";
import assert from "node:assert/strict";
import { cbor } from "../../../lib/wamp/serialization/cbor.ts";
import { msgpack } from "../../../lib/wamp/serialization/msgpack.ts";
import { serializers } from "../../../lib/wamp/serialization/serializers.ts";
import { until, withRouter } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";

test("events go to exact, prefix and wildcard subscriptions, and tell the topic of patterns", async () => {
  await withRouter(async ({ ws }) => {
    const [one, other] = [await RawClient.join(ws), await RawClient.join(ws, {}, cbor)];
    const ids: number[] = [];
    for (
      const [match, topic] of [
        ["exact", "com.example.a"],
        ["prefix", "com.ex"],
        ["wildcard", "com..a"],
        ["prefix", "org"],
        ["wildcard", "com.."],
        ["wildcard", "com."],
      ]
    ) {
      const [code, , id] = await one.ask([32, ids.length + 1, { match }, topic]);
      assert.equal(code, 33);
      ids.push(id as number);
    }
    const [, , publication] = await other.ask([
      16,
      1,
      { acknowledge: true },
      "com.example.a",
      [1],
      { k: "v" },
    ]);
    const events: unknown[][] = [];
    while (events.length < 4) events.push(await one.next());
    const bySubscription = new Map(events.map((event) => [event[1], event]));
    assert.deepEqual([...bySubscription.keys()].sort(), [ids[0], ids[1], ids[2], ids[4]].sort());
    for (const [id, event] of bySubscription) {
      const details = id === ids[0] ? {} : { topic: "com.example.a" };
      assert.deepEqual(event, [36, id, publication, details, [1], { k: "v" }]);
    }
    assert.deepEqual(await one.ask([34, 20, ids[1]]), [35, 20]);
    assert.equal((await one.ask([34, 21, ids[1]]))[4], "wamp.error.no_such_subscription");
    assert.equal((await one.ask([32, 23, {}, "a..b"]))[4], "wamp.error.invalid_uri");
    const [code, , reason] = await one.ask([32, 22, { match: "other" }, "a"]);
    assert.deepEqual([code, reason], [3, "wamp.error.protocol_violation"]);
    other.close();
  });
});

test("a publisher gets its own event only where it asks for it", async () => {
  await withRouter(async ({ ws }) => {
    for (const serializer of serializers) {
      const [one, other] = [
        await RawClient.join(ws, {}, serializer),
        await RawClient.join(ws, {}, serializer),
      ];
      for (const client of [one, other]) await client.ask([32, 1, {}, "com.example.a"]);
      one.send([16, 2, {}, "com.example.a", ["not me"]]);
      one.send([16, 3, { exclude_me: false, disclose_me: true }, "com.example.a", ["me too"]]);
      assert.deepEqual((await other.next())[4], ["not me"]);
      const [, , , details, args] = await other.next();
      assert.deepEqual(args, ["me too"]);
      assert.deepEqual(details, {
        publisher: one.session,
        publisher_authid: `anonymous-${one.session}`,
        publisher_authrole: "anonymous",
      });
      assert.deepEqual((await one.next())[4], ["me too"]);
      assert.equal(one.received.length, 0);
      one.close();
      other.close();
    }
  });
});

test("black- and whitelists decide who gets an event", async () => {
  await withRouter(async ({ ws }) => {
    const clients = await Promise.all(
      ["a", "b", "c"].map((authid) => RawClient.join(ws, { authid }, msgpack)),
    );
    for (const client of clients) await client.ask([32, 1, {}, "com.example.a"]);
    const publisher = await RawClient.join(ws);
    const cases: readonly (readonly [Record<string, unknown>, readonly number[]])[] = [
      [{ exclude: [clients[0]!.session] }, [1, 2]],
      [{ eligible: [clients[0]!.session, clients[1]!.session] }, [0, 1]],
      [{ exclude_authid: ["b"] }, [0, 2]],
      [{ eligible_authid: ["b", "c"], exclude: [clients[2]!.session] }, [1]],
      [{ exclude_authrole: ["anonymous"] }, []],
      [{ eligible_authrole: ["anonymous", "other"] }, [0, 1, 2]],
      [{ eligible: [] }, []],
    ];
    for (const [index, [options, expected]] of cases.entries()) {
      await publisher.ask([16, index + 1, { ...options, acknowledge: true }, "com.example.a", [
        index,
      ]]);
      for (const receiver of expected) {
        assert.deepEqual((await clients[receiver]!.next())[4], [index]);
      }
    }
    for (const client of clients) {
      assert.equal((await client.ask([34, 9, 1]))[4], "wamp.error.no_such_subscription");
      client.close();
    }
    publisher.close();
  });
});

test("arguments arrive as they were, whatever each side speaks", async () => {
  await withRouter(async ({ ws }) => {
    const args = ["ü", -1, 2 ** 40, -(2 ** 40), 1.5, true, null, new Uint8Array([0, 255]), {
      a: [],
    }];
    for (const from of serializers) {
      const publisher = await RawClient.join(ws, {}, from, from.isBinary);
      for (const to of serializers) {
        const subscriber = await RawClient.join(ws, {}, to, to.isBinary);
        await subscriber.ask([32, 1, {}, "com.example.a"]);
        publisher.send([16, 1, {}, "com.example.a", args, { bytes: args[7] }]);
        assert.deepEqual((await subscriber.next()).slice(4), [args, { bytes: args[7] }]);
        subscriber.close();
        await subscriber.closed;
      }
      publisher.close();
    }
  });
});

test("events of many publishers keep the order of each, between events and answers too", async () => {
  await withRouter(async ({ ws, rs, router }) => {
    assert.ok(rs);
    const subscribers = await Promise.all(
      serializers.map((serializer) => RawClient.join(ws, {}, serializer)),
    );
    for (const client of subscribers) await client.ask([32, 1, {}, "com.example.a"]);
    const count = 300;
    for (const [index, client] of subscribers.entries()) {
      for (let counter = 0; counter < count; counter++) {
        client.send([16, counter + 2, { acknowledge: true, exclude_me: false }, "com.example.a", [
          index,
          counter,
        ]]);
      }
    }
    await until(() => subscribers.every(({ received }) => received.length === count * 4));
    for (const { received } of subscribers) {
      const next = [0, 0, 0];
      let acknowledged = 2;
      for (const [code, request, , , args] of received) {
        if (code === 17) assert.equal(request, acknowledged++);
        else {
          const [publisher, counter] = args as [number, number];
          assert.equal(counter, next[publisher]!++);
        }
      }
    }
    assert.equal(router.counters.eventsLocal, 9 * count);
    for (const client of subscribers) client.close();
  });
});
