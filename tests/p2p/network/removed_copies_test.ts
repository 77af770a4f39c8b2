import { test } from "bun:test";
import assert from "node:assert/strict";
import { fullMesh, gossipNodes, until, withNodes } from "./gossip_nodes.ts";

type Push = (bytes: never) => void;

test("removedCopies() counts the copies that gossipsub keeps from its user", async () => {
  const nodes = gossipNodes(2);
  await withNodes(nodes, async () => {
    await Promise.all(nodes.map((node) => node.start()));
    await fullMesh(nodes);
    const [one, two] = nodes;
    const { router } = one!.network as unknown as {
      router: { streamsOutbound: Map<string, { push: Push; pushPrefixed: Push }> };
    };
    // Says everything twice.
    for (const stream of router.streamsOutbound.values()) {
      const push = stream.pushPrefixed.bind(stream);
      stream.pushPrefixed = (bytes) => {
        push(bytes);
        push(bytes);
      };
    }
    for (let token = 0; token < 20; token++) {
      one!.network.publish(Buffer.from(`message ${token}`), token);
    }
    await until("the copies", () => two!.network.removedCopies() === 20);
    assert.equal(two!.received.size, 20);
    assert.ok([...two!.received.values()].every((times) => times === 1));
    assert.equal(one!.network.removedCopies(), 0);
  });
}, 40_000);
