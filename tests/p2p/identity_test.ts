import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import { parsePeerId, peerIdOf, secretOf } from "../../lib/p2p/identity.ts";
import { stressTestTopic } from "../../lib/p2p/network/topic.ts";

test("secretOf() is the node id in little-endian bytes and zeros", () => {
  assert.equal(Buffer.from(secretOf(258)).toString("hex"), `0201${"0".repeat(60)}`);
  assert.equal(
    Buffer.from(secretOf(2 ** 40 + 7)).toString("hex"),
    `070000000001${"0".repeat(52)}`,
  );
});

test("peerIdOf() gives the peer ids of Apollo's benchmark", async () => {
  assert.equal(await peerIdOf(0), "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN");
  assert.equal(await peerIdOf(1), "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X");
});

test("parsePeerId() reads what peerIdOf() gives and refuses the rest", async () => {
  const text = await peerIdOf(5);
  assert.equal(parsePeerId(text).toString(), text);
  for (const wrong of ["", "12D3", "peer", `${text}x`]) {
    assert.throws(() => parsePeerId(wrong), UsageError, wrong);
  }
});

test("stressTestTopic is the hash that rust-libp2p's Sha256Topic gives", () => {
  assert.equal(stressTestTopic, "9pwO9iZEpm2K+wAEFbckQaShVNAVcmbmTr+sZZ/iW0s=");
});
