import assert from "node:assert/strict";
import { RustNode, rustTest } from "./rust_node.ts";

/** What Apollo's nodes have. */
const peerIds = [
  "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
  "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X",
];
const topic = "9pwO9iZEpm2K+wAEFbckQaShVNAVcmbmTr+sZZ/iW0s=";

rustTest(
  "the node by rust-libp2p has Apollo's identities and topic, and reaches its like",
  async () => {
    await using first = await RustNode.start(0, [], ["--print-messages"]);
    await using second = await RustNode.start(1, [first.address], ["--print-messages"]);
    assert.deepEqual([first.peerId, second.peerId], peerIds);
    assert.deepEqual([first.topic, second.topic], [topic, topic]);
    for (const node of [first, second]) {
      await node.until(({ event }) => event === "subscribed", "was told of a subscription");
    }
    second.send(1200);
    const { source, sequence, messageId, bytes } = await first.until(
      ({ event }) => event === "message",
      "got a message",
    );
    assert.equal(bytes, 1200);
    assert.equal(source, peerIds[1]);
    assert.equal(messageId, `${source}${sequence}`);
  },
  30_000,
);
