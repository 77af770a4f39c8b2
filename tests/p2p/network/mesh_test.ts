import { test } from "bun:test";
import assert from "node:assert/strict";
import { peerIdOf } from "../../../lib/p2p/identity.ts";
import {
  fullMesh,
  type GossipNode,
  gossipNodes,
  hostOf,
  until,
  withNodes,
} from "./gossip_nodes.ts";

const eachSends = 20;

/** Every node publishes, and every message arrives once at every other node. */
async function everythingOnce(nodes: readonly GossipNode[]): Promise<void> {
  for (const node of nodes) node.received.clear();
  for (const { network, settings } of nodes) {
    for (let index = 0; index < eachSends; index++) {
      assert.equal(network.publish(Buffer.from(`${settings.nodeId}/${index}`), index), undefined);
    }
  }
  const expected = (nodes.length - 1) * eachSends;
  await until(
    "everything everywhere",
    () => nodes.every((each) => each.received.size === expected),
  );
  // Longer than a copy by way of the mesh takes.
  await Bun.sleep(100);
  for (const { received } of nodes) {
    assert.equal(received.size, expected);
    assert.ok([...received.values()].every((times) => times === 1));
  }
}

async function oneConnectionEach(nodes: readonly GossipNode[]): Promise<void> {
  await until(
    "one connection for each peer",
    () => nodes.every(({ network }) => network.connectedPeers() === nodes.length - 1),
  );
}

for (const withPeerIds of [false, true]) {
  const form = withPeerIds ? "with peer ids" : "without peer ids";
  test(`ten nodes started at once are a full mesh, addresses ${form}`, async () => {
    const plain = gossipNodes(10);
    const bootstrap = await Promise.all(
      plain.map(async ({ settings }) =>
        `/ip4/127.0.0.1/tcp/${settings.listenPort}` +
        (withPeerIds ? `/p2p/${await peerIdOf(settings.nodeId)}` : "")
      ),
    );
    const nodes = plain.map((node) =>
      Object.assign(node, {
        settings: { ...node.settings, bootstrap },
      })
    );
    await withNodes(nodes, async () => {
      await Promise.all(nodes.map((node) => node.start()));
      await fullMesh(nodes);
      await oneConnectionEach(nodes);
      await everythingOnce(nodes);
    });
  }, 60_000);
}

test("nodes started one by one, and one of them again, are a full mesh", async () => {
  const nodes = gossipNodes(5);
  await withNodes(nodes, async () => {
    for (const node of nodes) {
      await node.start();
      await Bun.sleep(50);
    }
    await fullMesh(nodes);
    const [, restarted, ...rest] = nodes;
    assert.ok(restarted !== undefined);
    await restarted.network.stop();
    await until(
      "the others to notice",
      () => rest.every(({ network }) => network.connectedPeers() === nodes.length - 2),
    );
    await restarted.start();
    await fullMesh(nodes);
    await oneConnectionEach(nodes);
    await everythingOnce(nodes);
    assert.ok(rest.every(({ events }) => events.includes("connections_closed")));
    assert.ok(rest.some(({ events }) => events.includes("dial_failure")));
    assert.ok(nodes.every(({ roundTrips }) => roundTrips.length > 0));
  });
}, 60_000);

test("a node skips its own address and waits for a peer that is not there", async () => {
  const nodes = gossipNodes(2);
  const [alone] = nodes;
  assert.ok(alone !== undefined);
  await withNodes(nodes, async () => {
    await alone.start();
    await until("a failed dial", () => alone.events.includes("dial_failure"));
    const failed = () => alone.events.filter((type) => type === "dial_failure").length;
    await until("another try", () => failed() > 2);
    assert.equal(alone.network.connectedPeers(), 0);
    await nodes[1]?.start();
    await fullMesh(nodes);
  });
}, 60_000);

test("nodes reach each other where identify tells nothing", async () => {
  const nodes = gossipNodes(2, { bootstrap: [] });
  await withNodes(nodes, async () => {
    for (const node of nodes) {
      await node.start();
      await hostOf(node).libp2p.unhandle("/ipfs/id/1.0.0");
    }
    const [one, two] = nodes.map(hostOf);
    assert.ok(one !== undefined && two !== undefined);
    await one.libp2p.dial(two.libp2p.getMultiaddrs());
    await fullMesh(nodes);
    await everythingOnce(nodes);
  });
}, 60_000);
