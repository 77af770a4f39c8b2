import { test } from "bun:test";
import assert from "node:assert/strict";
import { type Forwards, HeldForwards } from "../../../lib/p2p/network/held_forwards.ts";
import { stressTestTopic } from "../../../lib/p2p/network/topic.ts";
import { fullMesh, GossipNode, gossipNodes, until, withNodes } from "./gossip_nodes.ts";

/** What a router was asked to do. */
class AskedRouter implements Forwards {
  readonly forwarded: string[] = [];
  /** The peer, and the ids that it was told. */
  readonly told: [string, string[]][] = [];
  readonly mesh = new Map([[stressTestTopic, new Set(["author", "other", "old"])]]);
  readonly streamsOutbound = new Map<string, { protocol: string }>([
    ["author", { protocol: "/meshsub/1.2.0" }],
    ["other", { protocol: "/meshsub/1.2.0" }],
    ["old", { protocol: "/meshsub/1.1.0" }],
  ]);
  sendIDontWants(_id: Uint8Array, _topic: string, _source: string): void {
    assert.fail("the library's own must not be called");
  }
  sendRpc(peer: string, rpc: { control: { idontwant: { messageIDs: Uint8Array[] }[] } }): boolean {
    const ids = rpc.control.idontwant.flatMap(({ messageIDs }) => messageIDs);
    this.told.push([peer, ids.map((id) => Buffer.from(id).toString())]);
    return true;
  }
  reportMessageValidationResult(id: string): void {
    this.forwarded.push(id);
  }
}

async function withForwards(
  body: (forwards: HeldForwards, router: AskedRouter) => Promise<void> | void,
): Promise<void> {
  const router = new AskedRouter();
  const forwards = new HeldForwards(router, 0);
  try {
    await body(forwards, router);
  } finally {
    forwards.stop();
  }
}

test("received() forwards at once where not everyone is within reach, or another has sent it", () =>
  withForwards((forwards, router) => {
    forwards.received("before any look", "author", true);
    forwards.inspected(false);
    forwards.received("not full", "author", true);
    forwards.inspected(true);
    forwards.received("by way of another", "other", false);
    assert.deepEqual(router.forwarded, ["before any look", "not full", "by way of another"]);
  }));

test("received() holds what comes from its author in a full mesh", () =>
  withForwards(async (forwards, router) => {
    forwards.inspected(true);
    forwards.received("one", "author", true);
    forwards.received("two", "author", true);
    assert.deepEqual(router.forwarded, []);
    await until("both forwarded", () => router.forwarded.length === 2);
    assert.deepEqual(router.forwarded, ["one", "two"]);
  }));

test("inspected() lets go at the next look what is held when somebody is missing", () =>
  withForwards(async (forwards, router) => {
    forwards.inspected(true);
    forwards.received("held", "author", true);
    // Told at the first look, at which nothing is held for long enough yet.
    router.sendIDontWants(Buffer.from("held"), stressTestTopic, "author");
    forwards.inspected(false);
    await until("the first look", () => router.told.length > 0);
    assert.deepEqual(router.forwarded, ["held"]);
  }));

test("stop() forgets what is held", () =>
  withForwards(async (forwards, router) => {
    forwards.inspected(true);
    forwards.received("held", "author", true);
    router.sendIDontWants(Buffer.from("held"), stressTestTopic, "author");
    forwards.stop();
    await Bun.sleep(400);
    assert.deepEqual([router.forwarded, router.told], [[], []]);
  }));

test("sendIDontWants() tells in one RPC, and not who has sent it nor who does not know IDONTWANT", () =>
  withForwards(async (_, router) => {
    router.sendIDontWants(Buffer.from("one"), stressTestTopic, "author");
    router.sendIDontWants(Buffer.from("two"), stressTestTopic, "other");
    router.sendIDontWants(Buffer.from("three"), stressTestTopic, "author");
    router.sendIDontWants(Buffer.from("elsewhere"), "another topic", "author");
    await until("both are told", () => router.told.length >= 2);
    assert.deepEqual(router.told, [["author", ["two"]], ["other", ["one", "three"]]]);
  }));

test("sendIDontWants() tells no more than 500 ids at once", () =>
  withForwards(async (_, router) => {
    for (let id = 0; id < 1_200; id++) {
      router.sendIDontWants(Buffer.from(`${id}`), stressTestTopic, "author");
    }
    await until("all is told", () => router.told.length >= 3);
    assert.deepEqual(router.told.map(([peer, ids]) => [peer, ids.length]), [
      ["other", 500],
      ["other", 500],
      ["other", 200],
    ]);
  }));

test("sendIDontWants() tells many peers less often, and holds for as much longer", () =>
  withForwards(async (forwards, router) => {
    for (let peer = 0; peer < 9; peer++) {
      router.mesh.get(stressTestTopic)?.add(`peer ${peer}`);
      router.streamsOutbound.set(`peer ${peer}`, { protocol: "/meshsub/1.1.0" });
    }
    forwards.inspected(true);
    router.sendIDontWants(Buffer.from("one"), stressTestTopic, "author");
    await until("the first is told", () => router.told.length === 1);
    const startMs = performance.now();
    forwards.received("two", "author", true);
    router.sendIDontWants(Buffer.from("two"), stressTestTopic, "author");
    await until("the second is told", () => router.told.length === 2);
    // 12 peers of the mesh, 25 a second; looks are 20 ms apart.
    const toldMs = performance.now() - startMs;
    assert.ok(toldMs >= 440, `told after ${toldMs} ms`);
    assert.deepEqual(router.forwarded, []);
    await until("it is forwarded", () => router.forwarded.length === 1);
    const heldMs = performance.now() - startMs;
    assert.ok(heldMs >= 1_150, `held for ${heldMs} ms`);
  }));

test("startGossipsub() forwards at once where it is told to", async () => {
  const nodes = gossipNodes(3, { forwarding: "at-once" });
  await withNodes(nodes, async () => {
    await Promise.all(nodes.map((node) => node.start()));
    await fullMesh(nodes);
    const [author, ...others] = nodes;
    assert.ok(author !== undefined);
    // The first looks of the nodes at their peers have been by then.
    await Bun.sleep(1_500);
    const copies = () => others.reduce((sum, { network }) => sum + network.removedCopies(), 0);
    const before = copies();
    for (let token = 0; token < 20; token++) {
      author.network.publish(Buffer.from(`message ${token}`), token);
    }
    await until("a copy of each", () => copies() - before >= 20);
  });
}, 60_000);

test("a full mesh that has settled sends nobody what it has", async () => {
  const nodes = gossipNodes(3);
  const copies = () => nodes.reduce((sum, { network }) => sum + network.removedCopies(), 0);
  await withNodes(nodes, async () => {
    await Promise.all(nodes.map((node) => node.start()));
    await fullMesh(nodes);
    const [author, ...others] = nodes;
    assert.ok(author !== undefined);
    let token = 0;
    const publish = async () => {
      const text = `message ${token}`;
      author.network.publish(Buffer.from(text), token++);
      await until(`${text} everywhere`, () => others.every(({ received }) => received.has(text)));
    };
    // Whoever has not settled yet forwards to those who have.
    const settled = async () => {
      const before = copies();
      for (let count = 0; count < 3; count++) await publish();
      await Bun.sleep(300);
      return copies() === before;
    };
    const endMs = performance.now() + 20_000;
    while (!(await settled())) assert.ok(performance.now() < endMs, "it did not settle");
    const before = copies();
    for (let count = 0; count < 50; count++) await publish();
    await Bun.sleep(500);
    // A busy host may hold one of them up for longer than messages are held.
    assert.ok(copies() - before < 25, `${copies() - before} copies of 50 messages`);
    for (const { received } of others) {
      for (const times of received.values()) assert.equal(times, 1);
    }
  });
}, 60_000);

test("startGossipsub() forwards what it has held to who does not reach the author", async () => {
  const [middle, author, other] = gossipNodes(3).map(({ settings }) =>
    new GossipNode({
      ...settings,
      bootstrap: settings.nodeId === 0 ? [] : settings.bootstrap.slice(0, 1),
    })
  );
  assert.ok(middle !== undefined && author !== undefined && other !== undefined);
  const nodes = [middle, author, other];
  await withNodes(nodes, async () => {
    await Promise.all(nodes.map((node) => node.start()));
    await until(
      "a star",
      () => nodes.every(({ network }, id) => network.reachablePeers() === (id === 0 ? 2 : 1)),
    );
    // The first look of the middle at its peers has been by then: it holds.
    await Bun.sleep(1_200);
    for (let token = 0; token < 20; token++) {
      author.network.publish(Buffer.from(`message ${token}`), token);
    }
    await until("all of it", () => other.received.size === 20);
    for (const { received } of [middle, other]) {
      assert.deepEqual([...received.values()], Array(20).fill(1));
    }
    assert.equal(author.received.size, 0);
  });
}, 60_000);
