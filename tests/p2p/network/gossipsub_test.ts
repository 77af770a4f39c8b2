import { test } from "bun:test";
import assert from "node:assert/strict";
import { HostLimitError, UsageError } from "../../../lib/errors.ts";
import { longestMessage } from "../../../lib/p2p/network/long_messages.ts";
import type { NetworkSettings } from "../../../lib/p2p/network/network.ts";
import { fullMesh, gossipNodes, until, withNodes } from "./gossip_nodes.ts";

test("startGossipsub() carries messages of every size whole", async () => {
  const nodes = gossipNodes(3);
  // 1,200 bytes is where the library's encryption fails on Bun; 65,519 is a full frame of noise.
  const sizes = [36, 1_199, 1_200, 16_384, 65_519, 65_536, 65_537, 1024 * 1024, longestMessage];
  await withNodes(nodes, async () => {
    for (const node of nodes) node.keeps = true;
    await Promise.all(nodes.map((node) => node.start()));
    await fullMesh(nodes);
    const [first, ...others] = nodes;
    assert.ok(first !== undefined);
    for (const [token, size] of sizes.entries()) {
      const message = new Uint8Array(size).map((_, index) => (index * 31 + token) % 251);
      assert.equal(first.network.publish(message, token), undefined, `${size} bytes`);
      await until(
        `${size} bytes everywhere`,
        () => others.every(({ messages }) => messages.length === token + 1),
      );
      for (const { messages } of others) {
        assert.ok(Buffer.from(messages[token] ?? []).equals(message), `${size} bytes as sent`);
      }
    }
    await until("all of it sent", () => first.sent.length === sizes.length);
    assert.deepEqual(first.sent, sizes.map((_, token) => token));
    assert.equal(first.network.queued(), 0);
    for (const { network } of nodes) assert.equal(network.invalidMessages(), 0);
  });
}, 60_000);

test("publish() says why it takes a message not", async () => {
  const nodes = gossipNodes(2, { bufferSize: 3 });
  const [one, two] = nodes;
  assert.ok(one !== undefined && two !== undefined);
  await withNodes(nodes, async () => {
    await one.start();
    const message = new Uint8Array(36);
    assert.equal(one.network.publish(message, 0), undefined);
    await until("the reason", () => one.dropped.length > 0);
    assert.deepEqual(one.dropped.splice(0), [["no_peers_subscribed_to_topic", 0]]);
    assert.equal(
      one.network.publish(new Uint8Array(longestMessage + 1), 1),
      "message_too_large",
    );
    await two.start();
    await fullMesh(nodes);
    // Nothing leaves before the turn ends, so the fourth finds the queue full.
    const reasons = [2, 3, 4, 5].map((token) => one.network.publish(message, token));
    assert.deepEqual(reasons, [undefined, undefined, undefined, "all_queues_full"]);
    assert.equal(one.network.queued(), 3);
    await until("three sent", () => one.sent.length === 3);
    assert.equal(one.network.queued(), 0);
    assert.deepEqual(one.dropped, []);
    await until("three received", () => [...two.received.values()].includes(3));
  });
}, 60_000);

test("startGossipsub() hands a message over in the turn in which it came: none waits", async () => {
  const nodes = gossipNodes(2);
  await withNodes(nodes, async () => {
    await Promise.all(nodes.map((node) => node.start()));
    await fullMesh(nodes);
    const [one, two] = nodes;
    const { router } = two!.network as unknown as {
      router: { handleReceivedMessage(...details: unknown[]): Promise<void> };
    };
    const handle = router.handleReceivedMessage.bind(router);
    let began = 0;
    let ended = 0;
    router.handleReceivedMessage = async (...details) => {
      began++;
      await handle(...details);
      ended++;
    };
    let turns = 0;
    const atEndOfTurn = () => {
      if (began > 0) turns++;
      assert.deepEqual([ended, two!.received.size], [began, began]);
      if (began < 500) setImmediate(atEndOfTurn);
    };
    const messages = Array.from({ length: 500 }, (_, index) => Buffer.from(`message ${index}`));
    atEndOfTurn();
    for (const [token, message] of messages.entries()) one!.network.publish(message, token);
    await until("all of it", () => two!.received.size === 500 && turns > 0);
    assert.equal(two!.network.overflowed(), 0);
  });
}, 40_000);

test("stop() frees the port at once, and what was queued is gone", async () => {
  const nodes = gossipNodes(2);
  const [one, two] = nodes;
  assert.ok(one !== undefined && two !== undefined);
  await withNodes(nodes, async () => {
    await Promise.all(nodes.map((node) => node.start()));
    await fullMesh(nodes);
    one.network.publish(Buffer.from("before"), 1);
    const { sent } = one;
    await one.network.stop();
    const sentBefore = sent.length;
    await one.start();
    await fullMesh(nodes);
    assert.equal(one.network.queued(), 0);
    one.network.publish(Buffer.from("after"), 2);
    await until("the later message", () => two.received.get("after") === 1);
    assert.equal(two.received.has("before"), false);
    assert.deepEqual(sent.slice(sentBefore), [2]);
  });
}, 60_000);

test("startGossipsub() says that a port is in use", async () => {
  const nodes = gossipNodes(1);
  const listenPort = nodes[0]?.settings.listenPort ?? 0;
  const [other] = gossipNodes(1, { listenPort });
  await withNodes(nodes, async () => {
    await nodes[0]?.start();
    await assert.rejects(
      async () => await other?.start(),
      (error) => error instanceof HostLimitError && error.message.includes("is in use"),
    );
  });
}, 30_000);

test("startGossipsub() refuses QUIC and addresses that are none", async () => {
  const cases: [Partial<NetworkSettings>, RegExp][] = [
    [{ quic: true, bootstrap: [] }, /--quic: this build contains no QUIC transport/],
    [{ bootstrap: ["10.0.0.5:10000"] }, /is no address of a peer/],
    [{ bootstrap: ["/ip4/10.0.0.5/udp/1/quic-v1"] }, /without --quic dials \/tcp/],
    [{ bootstrap: ["/ip4/10.0.0.5/tcp/1/p2p/12D3"] }, /12D3/],
    [{ bootstrap: ["/unix/a"] }, /starts with no ip4/],
  ];
  for (const [changes, message] of cases) {
    const [node] = gossipNodes(1, changes);
    await assert.rejects(
      async () => await node?.start(),
      (error) => error instanceof UsageError && message.test(error.message),
      JSON.stringify(changes),
    );
  }
});
