import { test } from "bun:test";
import assert from "node:assert/strict";
import { BroadcastNode } from "../../../lib/p2p/node/broadcast_node.ts";
import { turnAt } from "../../../lib/p2p/mode.ts";
import type { NodeSnapshot } from "../../../lib/p2p/snapshot.ts";
import { totalDropped, totalRefused } from "../../../lib/p2p/snapshot.ts";
import { nodeSettings, originSeconds, startNodes, until } from "./networks.ts";

function isBalanced({ broadcast, received, senders }: NodeSnapshot) {
  assert.equal(broadcast.due, broadcast.sent + broadcast.queued + totalDropped(broadcast));
  const taken = senders.reduce(
    (total, sender) => total + sender.received + sender.duplicates + sender.unclassified,
    0,
  );
  assert.equal(received.messages, taken);
}

/** Runs the plan of some nodes until so many messages are due, and everybody has everything. */
async function broadcast(
  nodes: readonly BroadcastNode[],
  due: number,
  broadcasters: readonly BroadcastNode[] = nodes,
) {
  await until(() => nodes.every((node) => node.isConnected()), "a full mesh");
  for (const node of nodes) node.begin();
  await until(
    () => broadcasters.every((node) => node.snapshot().broadcast.due >= due),
    `${due} messages due`,
  );
  await Promise.all(nodes.map((node) => node.finish()));
  const sent = () =>
    nodes.reduce((total, node) => total + node.snapshot().broadcast.sent, 0) * (nodes.length - 1);
  const received = () =>
    nodes.reduce((total, node) => total + node.snapshot().received.messages, 0);
  await until(() => received() === sent(), "every message everywhere");
}

test("BroadcastNode: three nodes broadcast to each other, everything arrives once", async () => {
  const seen: string[] = [];
  const nodes = await startNodes(3, { heartbeatMs: 7.5 }, (nodeId) => ({
    sent: (index, intendedNs, sizeBytes) => {
      assert.equal(sizeBytes, 1024);
      assert.ok(intendedNs < (Date.now() - originSeconds * 1000 + 5) * 1e6);
      seen.push(`${nodeId} sent ${index}`);
    },
    received: (sender, index, intendedNs, arrivedNs) => {
      assert.ok(arrivedNs >= intendedNs - 1e6);
      seen.push(`${nodeId} got ${sender} ${index}`);
    },
    duplicated: () => assert.fail("a message came twice"),
  }));
  try {
    await broadcast(nodes, 80);
    for (const node of nodes) {
      const snapshot = node.snapshot();
      isBalanced(snapshot);
      assert.ok(snapshot.broadcast.due >= 80, `${snapshot.broadcast.due} were due`);
      assert.equal(snapshot.broadcast.sent, snapshot.broadcast.due);
      assert.equal(snapshot.broadcast.bytes, snapshot.broadcast.sent * 1024);
      assert.equal(snapshot.received.bytes, snapshot.received.messages * 1024);
      assert.equal(totalRefused(snapshot.received), 0);
      for (const sender of snapshot.senders) {
        assert.equal(sender.pending, 0);
        assert.equal(sender.gaps, 0);
        assert.equal(sender.firstIndex, 0);
        assert.equal(sender.restarts, 0);
      }
      const { delivery, negativeDelivery, sendDelay, lateness } = snapshot.histograms;
      assert.equal(delivery.count + negativeDelivery.count, snapshot.received.messages);
      assert.equal(sendDelay.count, snapshot.broadcast.sent);
      assert.equal(lateness.count, snapshot.broadcast.due);
      assert.equal(snapshot.peers.connected, 2);
    }
    assert.equal(new Set(seen).size, seen.length);
    const sent = nodes.reduce((total, node) => total + node.snapshot().broadcast.sent, 0);
    assert.equal(seen.length, 3 * sent);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
  const { phase, peers, mostPeers } = nodes[0]!.snapshot();
  assert.equal(phase, "done");
  // A report of the run tells who was there at its end.
  assert.equal(peers.connected, 2);
  assert.equal(mostPeers, 2);
}, 30_000);

test("BroadcastNode: in mode one only the broadcaster does", async () => {
  const nodes = await startNodes(3, { mode: "one", broadcaster: 1, heartbeatMs: 5 });
  try {
    await broadcast(nodes, 50, [nodes[1]!]);
    for (const [nodeId, node] of nodes.entries()) {
      const { broadcast, senders } = node.snapshot();
      assert.equal(broadcast.due > 0, nodeId === 1);
      assert.deepEqual(senders.map(({ sender }) => sender), nodeId === 1 ? [] : [1]);
    }
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}, 30_000);

test("BroadcastNode: in mode rr each broadcasts in its turn", async () => {
  const roundSeconds = 0.25;
  const turns: string[] = [];
  const nodes = await startNodes(3, { mode: "rr", roundSeconds, heartbeatMs: 10 }, (nodeId) => ({
    sent: (_, intendedNs) => {
      const turn = turnAt(originSeconds + intendedNs / 1e9, { roundSeconds, numNodes: 3 });
      turns.push(`${nodeId} in the turn of ${turn}`);
    },
  }));
  try {
    await broadcast(nodes, 40);
    for (const node of nodes) {
      const { broadcast } = node.snapshot();
      // Two turns of 25, of which the first may have gone on already; others may be in their third.
      assert.ok(broadcast.due >= 40 && broadcast.due <= 80, `${broadcast.due} were due`);
      assert.equal(totalDropped(broadcast), 0);
    }
    // A turn begins to the nanosecond by a clock that is set right every second.
    const wrong = turns.filter((turn) => turn.at(0) !== turn.at(-1));
    assert.ok(wrong.length <= 6, wrong.join(", "));
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}, 30_000);

test("BroadcastNode: what nobody can receive is dropped, and counted", async () => {
  const [node] = await startNodes(1, { heartbeatMs: 5, numNodes: 2 });
  try {
    node!.begin();
    await until(() => node!.snapshot().broadcast.due >= 10, "ten messages due");
    await node!.finish();
    const snapshot = node!.snapshot();
    isBalanced(snapshot);
    assert.ok(snapshot.broadcast.due >= 10);
    assert.equal(snapshot.broadcast.dropped.no_peers_subscribed_to_topic, snapshot.broadcast.due);
  } finally {
    await node!.stop();
  }
});

test("BroadcastNode: a node that is killed and started again is followed", async () => {
  const nodes = await startNodes(3, { heartbeatMs: 5 });
  try {
    await until(() => nodes.every((node) => node.isConnected()), "a full mesh");
    for (const node of nodes) node.begin();
    const ofSender = (node: BroadcastNode, id: number) =>
      node.snapshot().senders.find(({ sender }) => sender === id);
    await until(() => (ofSender(nodes[0]!, 2)?.received ?? 0) >= 20, "messages of node 2");
    await nodes[2]!.stop();
    const before = nodes[0]!.snapshot().broadcast.due;
    await until(() => nodes[0]!.snapshot().broadcast.due >= before + 20, "messages without it");
    nodes[2] = await BroadcastNode.start(nodeSettings({
      nodeId: 2,
      numNodes: 3,
      heartbeatMs: 5,
      bootstrap: nodes.slice(0, 2).flatMap(({ addresses }) => addresses),
      begin: "connected",
    }));
    await until(() => nodes.every((node) => node.isConnected()), "a full mesh again");
    await until(() => ofSender(nodes[0]!, 2)?.restarts === 1, "messages of the new node 2");
    await until(() => nodes[2]!.snapshot().senders.length === 2, "messages of both others");
    await Promise.all(nodes.map((node) => node.finish()));
    for (const node of nodes) isBalanced(node.snapshot());
    const ofKilled = ofSender(nodes[0]!, 2)!;
    assert.equal(ofKilled.restarts, 1);
    assert.equal(ofKilled.duplicates, 0);
    const fresh = nodes[2]!.snapshot();
    // It never saw the beginning; what it saw is whole.
    assert.ok(fresh.senders.every(({ firstIndex }) => firstIndex > 0));
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}, 30_000);
