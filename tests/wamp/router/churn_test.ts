import { heapStats } from "bun:jsc";
import { test } from "bun:test";
import assert from "node:assert/strict";
import type { Realm } from "../../../lib/wamp/router/realm.ts";
import { serializers } from "../../../lib/wamp/serialization/serializers.ts";
import { until, withRouter } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";

const rounds = 10;
const perRound = 100;
const policies = ["exact", "prefix", "wildcard"] as const;

/** What the router made for sessions. */
type Made = WeakRef<object>[];

/** Joins, uses everything, and leaves in one of several ways, with calls and events on their way. */
async function live(ws: string, realm: Realm, number: number, made: Made): Promise<void> {
  const client = await RawClient.join(ws, {}, serializers[number % 3]!);
  const topic = `com.topic${number % 50}`;
  const [, , subscription] = await client.ask([32, 1, { match: policies[number % 3] }, topic]);
  const [, , registration] = await client.ask([
    64,
    2,
    { invoke: "roundrobin" },
    `com.proc${number % 7}`,
  ]);
  for (
    const one of [
      realm.sessions.get(client.session),
      realm.broker.subscriptionOf(subscription as number),
      realm.dealer.registrationOf(registration as number),
    ]
  ) {
    made.push(new WeakRef(one!));
  }
  client.send(
    [48, 3, number % 2 === 0 ? { timeout: 60_000 } : {}, `com.proc${(number + 1) % 7}`],
    [16, 4, { exclude: [1], exclude_me: false }, topic],
    [16, 5, {}, topic],
  );
  if (number % 4 === 0) (client.socket as unknown as { terminate(): void }).terminate();
  else if (number % 4 === 1) client.close();
  else if (number % 4 === 2) client.send([6, {}, "wamp.close.normal"]);
  else client.send([99]);
  await client.closed;
}

test("nothing is left of sessions that have gone, however they went", async () => {
  await withRouter(async ({ ws, router, notes }) => {
    const realm = router.realmOf("realm1")!;
    const made: Made = [];
    for (let round = 0; round < rounds; round++) {
      const numbers = Array.from({ length: perRound }, (_, index) => round * perRound + index);
      await Promise.all(numbers.map((number) => live(ws, realm, number, made)));
    }
    await until(() => realm.sessions.size === 0);
    assert.equal(realm.broker.subscriptions.size, 0);
    assert.equal(realm.dealer.registrations.size, 0);
    const { sessionsOpened, sessionsClosed, calls, publications } = router.counters;
    assert.equal(sessionsOpened, rounds * perRound);
    assert.equal(sessionsClosed, sessionsOpened);
    assert.ok(calls > 0 && publications > 0);
    assert.deepEqual(notes, []);
    // Nothing holds what they were; some may still stand on a stack.
    const alive = () => {
      Bun.gc(true);
      return made.filter((one) => one.deref() !== undefined).length;
    };
    assert.equal(made.length, 3 * sessionsOpened);
    await until(() => alive() < 20);
  });
}, 30_000);

test("a session keeps nothing of what its client announces", async () => {
  await withRouter(async ({ ws, router }) => {
    const before = usedBytes();
    const clients: RawClient[] = [];
    for (let count = 0; count < 8; count++) {
      const custom = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`x_${at}`, [at]]));
      const roles = { subscriber: {}, callee: { features: { call_canceling: true, custom } } };
      clients.push(await RawClient.join(ws, { roles, authextra: custom }));
    }
    assert.equal(router.realmOf("realm1")!.sessions.size, 8);
    // All of it would be 4 MiB and more.
    const grownBytes = usedBytes() - before;
    assert.ok(grownBytes < 2 * 2 ** 20, `${grownBytes} bytes more are in use`);
    for (const client of clients) client.close();
  });
});

function usedBytes(): number {
  Bun.gc(true);
  return heapStats().heapSize;
}
