import { test } from "bun:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { RPC } from "@libp2p/gossipsub/message";
import { SignedBytes } from "../../../lib/p2p/network/signed_bytes.ts";
import { stressTestTopic } from "../../../lib/p2p/network/topic.ts";

test("SignedBytes are what the library signs", () => {
  const bytes = new SignedBytes(stressTestTopic);
  for (const size of [0, 1, 36, 127, 128, 1024, 16_383, 16_384, 70_000, 2_100_000, 100]) {
    const fields = { from: randomBytes(38), data: randomBytes(size), seqno: randomBytes(8) };
    const message = RPC.Message.encode({ ...fields, topic: stressTestTopic });
    const expected = Buffer.concat([Buffer.from("libp2p-pubsub:"), message]);
    assert.ok(expected.equals(bytes.of(fields)), `${size} bytes`);
  }
});
