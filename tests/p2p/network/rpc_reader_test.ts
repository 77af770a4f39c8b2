import { test } from "bun:test";
import assert from "node:assert/strict";
import type { MessageSource } from "../../../lib/p2p/network/direct_messages.ts";
import type { RpcReceiver } from "../../../lib/p2p/network/rpc_reader.ts";
import { fullMesh, gossipNodes, until, withNodes } from "./gossip_nodes.ts";

test("readAtOnce() is the only one that keeps what comes", async () => {
  const nodes = gossipNodes(2);
  await withNodes(nodes, async () => {
    await Promise.all(nodes.map((node) => node.start()));
    await fullMesh(nodes);
    const [sender, receiver] = nodes;
    assert.ok(sender !== undefined && receiver !== undefined);
    for (let token = 0; token < 10; token++) {
      sender.network.publish(Buffer.from(`message ${token}`), token);
    }
    await until("all of it", () => receiver.received.size === 10);
    const { router } = receiver.network as unknown as { readonly router: RpcReceiver };
    const [incoming] = [...router.streamsInbound.values()];
    // A second listener would be a queue that nobody empties: the library's own.
    const stream = incoming?.rawStream as unknown as MessageSource;
    assert.equal(stream.listenerCount("message"), 1);
    assert.equal(stream.readBufferLength, 0);
  });
}, 40_000);
