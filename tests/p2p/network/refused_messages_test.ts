import { test } from "bun:test";
import assert from "node:assert/strict";
import { fullMesh, gossipNodes, until, withNodes } from "./gossip_nodes.ts";

test("invalidMessages() takes the end of a peer for no refused message", async () => {
  const nodes = gossipNodes(2);
  await withNodes(nodes, async () => {
    for (const node of nodes) await node.start();
    await fullMesh(nodes);
    // Aborts its connections.
    await nodes[1]!.network.stop();
    await until("the peer is gone", () => nodes[0]!.network.connectedPeers() === 0);
    await Bun.sleep(50);
    assert.equal(nodes[0]!.network.invalidMessages(), 0);
  });
});
