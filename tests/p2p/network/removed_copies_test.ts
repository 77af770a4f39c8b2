import { test } from "bun:test";
import assert from "node:assert/strict";
import { fullMesh, gossipNodes, until, withNodes } from "./gossip_nodes.ts";

test("removedCopies() counts the copies that gossipsub keeps from its user", async () => {
  const nodes = gossipNodes(3);
  await withNodes(nodes, async () => {
    await Promise.all(nodes.map((node) => node.start()));
    await fullMesh(nodes);
    const [first, second, third] = nodes;
    let published = 0;
    // Once the other two are in each other's mesh, each passes on to the other what it receives.
    await until("a copy removed", () => {
      first!.network.publish(Buffer.from(`message ${published}`), published);
      published++;
      return second!.network.removedCopies() > 0 && third!.network.removedCopies() > 0;
    });
    await until("all of it", () => second!.received.size + third!.received.size === 2 * published);
    for (const { network, received } of [second!, third!]) {
      assert.ok([...received.values()].every((times) => times === 1));
      assert.ok(network.removedCopies() <= published);
    }
    // Nobody passes a message on to its author.
    assert.equal(first!.network.removedCopies(), 0);
  });
}, 40_000);
