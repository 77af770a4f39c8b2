import { test } from "bun:test";
import assert from "node:assert/strict";
import { routerRole } from "../../../lib/wamp/router/authentication.ts";
import { SigningKey } from "../../../lib/wamp/cryptosign/cryptosign.ts";
import { Router } from "../../../lib/wamp/router/router.ts";
import { cbor } from "../../../lib/wamp/serialization/cbor.ts";
import { json } from "../../../lib/wamp/serialization/json.ts";
import { msgpack } from "../../../lib/wamp/serialization/msgpack.ts";
import { parseListenUrl } from "../../../lib/wamp/transport/listen_url.ts";
import { openRealm, until } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";

const key = new SigningKey(new Uint8Array(32).fill(7));
const principals = [{ authid: "router", publicKey: key.publicKey, roles: [routerRole] }];

interface Node {
  readonly router: Router;
  readonly ws: string;
  readonly rs: string;
}

function startNode(name: string, listen = ["ws://127.0.0.1:0/ws", "rs://127.0.0.1:0"]): Node {
  const router = new Router({
    node: name,
    realms: [{ ...openRealm, principals }],
    pingIntervalMs: 0,
    maxMessageBytes: 2 ** 24,
    maxPendingBytes: 2 ** 24,
    note() {},
  });
  const [ws, rs] = listen.map((url) => router.listen(parseListenUrl(url)).url);
  return { router, ws: ws!, rs: rs! };
}

/** Runs `use` with routers of which each has a link to every other one, the last by WebSocket. */
async function withMesh(size: number, use: (nodes: Node[]) => Promise<void>): Promise<void> {
  const nodes = Array.from({ length: size }, (_, index) => startNode(`node${index + 1}`));
  try {
    for (const node of nodes) linkToAll(node, nodes);
    await until(() => nodes.every((node) => isLinked(node, size - 1)));
    await use(nodes);
  } finally {
    await Promise.all(nodes.map(({ router }) => router.stop()));
  }
}

function linkToAll({ router }: Node, nodes: readonly Node[]): void {
  const last = nodes[nodes.length - 1]!;
  // The router's own address is among them, as it may be in a list that all routers share.
  const urls = nodes.map((other) => parseListenUrl(other === last ? other.ws : other.rs));
  router.linkTo(urls, key);
}

function isLinked({ router }: Node, links: number): boolean {
  return router.links.filter(({ isUp }) => isUp).length === links;
}

const serializers = [json, msgpack, cbor, msgpack];

test(
  "a mesh of 4 gives every event once to every subscriber, in order, and calls every node",
  async () => {
    await withMesh(4, async (nodes) => {
      const clients = await Promise.all(
        nodes.map(({ ws }, index) => RawClient.join(ws, {}, serializers[index])),
      );
      for (const client of clients) {
        for (
          const [request, match, topic] of [
            [1, "exact", "com.example.topic"],
            [2, "prefix", "com.example"],
            [3, "wildcard", "com..topic"],
          ] as const
        ) {
          const [code] = await client.ask([32, request, { match }, topic]);
          assert.equal(code, 33);
        }
      }
      const count = 50;
      for (const [index, client] of clients.entries()) {
        for (let counter = 0; counter < count; counter++) {
          const options = counter === count - 1 ? { exclude_me: false } : { exclude_me: false };
          client.send([16, counter + 10, options, "com.example.topic", [index, counter]]);
        }
      }
      const all = 4 * count * 3;
      await until(() => clients.every(({ received }) => received.length >= all), 10_000);
      await Bun.sleep(50);
      for (const { received } of clients) {
        assert.equal(received.length, all);
        // Each publication once for each of three subscriptions, in its publisher's order.
        const next = new Map<string, number>();
        for (const message of received) {
          const [code, subscription, , , [publisher, counter]] = message as [
            number,
            number,
            number,
            object,
            [number, number],
          ];
          assert.equal(code, 36);
          const from = `${subscription} ${publisher}`;
          assert.equal(counter, next.get(from) ?? 0, from);
          next.set(from, counter + 1);
        }
        assert.equal(next.size, 12);
        received.length = 0;
      }
      let local = 0;
      let forwarded = 0;
      for (const { router: { counters } } of nodes) {
        local += counters.eventsLocal;
        forwarded += counters.eventsForwarded;
        // A link carries a publication once, however many subscriptions behind it match.
        assert.equal(counters.eventsToLinks, 3 * count);
      }
      assert.equal(forwarded / (local + forwarded), 0.75);

      for (const [index, client] of clients.entries()) {
        const [code] = await client.ask([64, 100, {}, `com.example.proc${index}`]);
        assert.equal(code, 65);
      }
      for (const [from, caller] of clients.entries()) {
        for (const [to, callee] of clients.entries()) {
          caller.send([
            48,
            200 + to,
            { disclose_me: true },
            `com.example.proc${to}`,
            [from, to],
            {},
          ]);
          const [, request, , details, args] = await callee.next();
          assert.deepEqual(args, [from, to]);
          assert.equal((details as { caller?: number }).caller, caller.session);
          if (from === 3) callee.send([8, 68, request, { why: 1 }, "com.example.failed", ["no"]]);
          else callee.send([70, request, {}, ["done", to]]);
          const answer = await caller.next();
          if (from === 3) {
            assert.deepEqual(answer, [8, 48, 200 + to, { why: 1 }, "com.example.failed", ["no"]]);
          } else assert.deepEqual(answer, [50, 200 + to, {}, ["done", to]]);
        }
      }
      const [one, , third] = clients as [RawClient, RawClient, RawClient, RawClient];
      assert.deepEqual((await one.ask([48, 300, {}, "com.nobody"])).slice(0, 5), [
        8,
        48,
        300,
        {},
        "wamp.error.no_such_procedure",
      ]);
      // The third router's client is called from the first: cancelled, with progress, gone.
      one.send([48, 301, { receive_progress: true }, "com.example.proc2", []]);
      const [, invocation, , details] = await third.next();
      assert.equal((details as { receive_progress?: boolean }).receive_progress, true);
      third.send([70, invocation, { progress: true }, [1]]);
      assert.deepEqual(await one.next(), [50, 301, { progress: true }, [1]]);
      one.send([49, 301, { mode: "kill" }]);
      assert.deepEqual(await third.next(), [69, invocation, { mode: "kill" }]);
      third.send([8, 68, invocation, {}, "wamp.error.canceled"]);
      assert.equal((await one.next())[4], "wamp.error.canceled");
      one.send([48, 302, {}, "com.example.proc2", []]);
      await third.next();
      third.close();
      assert.deepEqual((await one.next()).slice(0, 5), [8, 48, 302, {}, "wamp.error.canceled"]);
      await until(() => nodes[0]!.router.realmOf("realm1")!.dealer.registrations.size === 3);
      for (const client of clients) client.close();
      await until(() =>
        nodes.every(({ router }) => {
          const { broker, dealer } = router.realmOf("realm1")!;
          return broker.subscriptions.size === 0 && dealer.registrations.size === 0;
        })
      );
      for (const { router } of nodes) assert.equal(router.counters.failures, 0);
    });
  },
  20_000,
);

test(
  "a link comes back by itself, and brings subscriptions and registrations with it",
  async () => {
    const one = startNode("node1");
    let other = startNode("node2");
    try {
      one.router.linkTo([parseListenUrl(other.rs)], key);
      other.router.linkTo([parseListenUrl(one.rs)], key);
      await until(() => isLinked(one, 1) && isLinked(other, 1));
      const subscriber = await RawClient.join(one.ws);
      await subscriber.ask([32, 1, {}, "com.example.topic"]);
      await subscriber.ask([64, 2, {}, "com.example.proc"]);
      await other.router.stop();
      await until(() => !isLinked(one, 1));
      other = startNode("node2", [other.ws, other.rs]);
      other.router.linkTo([parseListenUrl(one.rs)], key);
      await until(() => isLinked(one, 1) && isLinked(other, 1));
      const client = await RawClient.join(other.ws);
      await until(() => other.router.realmOf("realm1")!.dealer.registrations.size === 1);
      client.send([16, 1, {}, "com.example.topic", ["again"]]);
      assert.deepEqual((await subscriber.next()).slice(4), [["again"]]);
      client.send([48, 2, {}, "com.example.proc", [1]]);
      const [, request] = await subscriber.next();
      subscriber.send([70, request, {}, [2]]);
      assert.deepEqual(await client.next(), [50, 2, {}, [2]]);
      client.close();
      subscriber.close();
    } finally {
      await Promise.all([one.router.stop(), other.router.stop()]);
    }
  },
  20_000,
);

test(
  "a procedure that clients of all routers register at once goes to that of the first router",
  async () => {
    await withMesh(3, async (nodes) => {
      const clients = await Promise.all(nodes.map(({ ws }) => RawClient.join(ws)));
      for (let round = 1; round <= 10; round++) {
        const procedure = `com.example.proc${round}`;
        // The first one is not the first to ask.
        const answers = await Promise.all(
          clients.toReversed().map((client) => client.ask([64, round, {}, procedure])),
        );
        const [third, second, first] = answers;
        for (const answer of [second!, third!]) {
          assert.deepEqual(answer.slice(0, 3), [8, 64, round]);
          assert.equal(answer[4], "wamp.error.procedure_already_exists");
        }
        assert.equal(first![0], 65);
        for (const [index, client] of clients.entries()) {
          client.send([48, 100 * round + index, {}, procedure]);
          const [code, request] = await clients[0]!.next();
          assert.equal(code, 68);
          clients[0]!.send([70, request, {}]);
          assert.equal((await client.next())[0], 50);
        }
      }
      // What is free again can be had by others; and one that is there stays.
      clients[0]!.close();
      await until(() =>
        nodes.every(({ router }) => router.realmOf("realm1")!.dealer.registrations.size === 0)
      );
      assert.equal((await clients[2]!.ask([64, 100, {}, "com.example.proc1"]))[0], 65);
      const late = await clients[1]!.ask([64, 100, {}, "com.example.proc1"]);
      assert.equal(late[4], "wamp.error.procedure_already_exists");
      for (const client of clients) client.close();
      await until(() =>
        nodes.every(({ router }) => router.realmOf("realm1")!.dealer.registrations.size === 0)
      );
    });
  },
  20_000,
);

test("who may get a publication holds behind links too", async () => {
  await withMesh(2, async ([one, other]) => {
    const here = await RawClient.join(one!.ws);
    const there = await RawClient.join(other!.ws);
    const alsoThere = await RawClient.join(other!.ws);
    for (const client of [here, there, alsoThere]) await client.ask([32, 1, {}, "com.example.t"]);
    here.send(
      [16, 1, { exclude: [there.session] }, "com.example.t", ["first"]],
      [16, 2, { eligible: [there.session], disclose_me: true }, "com.example.t", ["second"]],
    );
    const [, , , first, ...args] = await alsoThere.next();
    assert.deepEqual(args, [["first"]]);
    // That it came over a link is seen, and not who published it.
    const [forwardFor] = (first as { forward_for: Record<string, unknown>[] }).forward_for;
    assert.deepEqual(Object.keys(first as object), ["forward_for"]);
    assert.notEqual(forwardFor!["session"], here.session);
    assert.deepEqual([forwardFor!["authid"], forwardFor!["authrole"]], ["node1", "router2router"]);
    const [, , , details, second] = await there.next();
    assert.deepEqual(second, ["second"]);
    assert.equal((details as { publisher?: number }).publisher, here.session);
    await Bun.sleep(20);
    assert.deepEqual([here, there, alsoThere].map(({ received }) => received.length), [0, 0, 0]);
    for (const client of [here, there, alsoThere]) client.close();
  });
});

test("a router with a wrong key gets no link", async () => {
  const one = startNode("node1");
  const other = startNode("node2");
  try {
    other.router.linkTo([parseListenUrl(one.rs)], new SigningKey(new Uint8Array(32).fill(8)));
    await until(() => other.router.links[0]!.reason !== "");
    assert.match(other.router.links[0]!.reason, /wamp.error.authentication_failed/);
    // Nobody becomes a router by asking for its role.
    await assert.rejects(
      RawClient.join(one.ws, { authrole: routerRole }),
      /wamp.error.no_such_role/,
    );
    assert.equal(one.router.realmOf("realm1")!.sessions.size, 0);
  } finally {
    await Promise.all([one.router.stop(), other.router.stop()]);
  }
});

test("a link that is cut goes on where it was: nothing is lost, nothing comes twice", async () => {
  const one = startNode("node1");
  const other = startNode("node2");
  // Between them, something that can cut.
  const port = Number(new URL(one.rs.replace("rs:", "http:")).port);
  const cuts = new Set<() => void>();
  const relay = Bun.listen<{ peer?: Bun.Socket }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async open(socket) {
        socket.data = {};
        const peer = await Bun.connect({
          hostname: "127.0.0.1",
          port,
          socket: {
            data: (_, bytes) => void socket.write(bytes),
            close: () => socket.terminate(),
          },
        });
        socket.data.peer = peer;
        cuts.add(() => {
          socket.terminate();
          peer.terminate();
        });
      },
      data(socket, bytes) {
        const copy = bytes.slice();
        if (socket.data.peer === undefined) setTimeout(() => socket.data.peer?.write(copy), 20);
        else socket.data.peer.write(copy);
      },
      close: (socket) => socket.data.peer?.terminate(),
    },
  });
  try {
    other.router.linkTo([parseListenUrl(`rs://127.0.0.1:${relay.port}`)], key);
    await until(() => isLinked(other, 1));
    const subscriber = await RawClient.join(other.ws, {}, msgpack);
    await subscriber.ask([32, 1, {}, "com.example.topic"]);
    const publisher = await RawClient.join(one.ws);
    let published = 0;
    for (let cut = 0; cut < 5; cut++) {
      for (let count = 0; count < 200; count++) {
        publisher.send([16, ++published, {}, "com.example.topic", [published]]);
        if (count % 20 === 0) await Bun.sleep(1);
        if (count === 100) {
          for (const end of cuts) end();
          cuts.clear();
        }
      }
      await until(() => other.router.links[0]!.joined === cut + 2);
    }
    await until(() => subscriber.received.length >= published);
    await Bun.sleep(30);
    const counters = subscriber.received.map(([, , , , args]) => (args as number[])[0]);
    assert.deepEqual(counters, Array.from({ length: published }, (_, index) => index + 1));
    publisher.close();
    subscriber.close();
  } finally {
    relay.stop(true);
    await Promise.all([one.router.stop(), other.router.stop()]);
  }
}, 20_000);

test("two links to the same router are one", async () => {
  const one = startNode("node1");
  const other = startNode("node2");
  try {
    other.router.linkTo([parseListenUrl(one.rs), parseListenUrl(one.ws)], key);
    await until(() => other.router.links.some(({ state }) => state === "duplicate"));
    await until(() => isLinked(other, 1));
    const subscriber = await RawClient.join(other.ws);
    await subscriber.ask([32, 1, {}, "com.example.topic"]);
    const publisher = await RawClient.join(one.ws);
    publisher.send([16, 1, {}, "com.example.topic", [1]]);
    assert.deepEqual((await subscriber.next())[4], [1]);
    await Bun.sleep(20);
    assert.equal(subscriber.received.length, 0);
    // The second one has not ended the first.
    assert.deepEqual(other.router.links.map(({ joined }) => joined).sort(), [0, 1]);
    publisher.close();
    subscriber.close();
  } finally {
    await Promise.all([one.router.stop(), other.router.stop()]);
  }
});
