import { test } from "bun:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { privateKeyOf } from "../../../lib/p2p/identity.ts";
import { keepKeys } from "../../../lib/p2p/network/kept_keys.ts";

test("keepKeys() signs as the library does", async () => {
  const theirs = await privateKeyOf(7);
  const ours = await privateKeyOf(7);
  const data = randomBytes(1_000);
  // Before the first: from then on all keys verify with what is kept.
  const signature = await theirs.sign(data);
  assert.equal(await theirs.publicKey.verify(data, signature), true);
  keepKeys(ours);
  assert.deepEqual(Buffer.from(await ours.sign(data)), Buffer.from(signature));
});

test("keepKeys() verifies with the key that is asked, and nothing else", async () => {
  const [one, two] = [await privateKeyOf(1), await privateKeyOf(2)];
  keepKeys(one);
  const data = randomBytes(100);
  const signature = await one.sign(data);
  const altered = Uint8Array.from(data, (byte, index) => index === 99 ? byte ^ 1 : byte);
  for (let round = 0; round < 2; round++) {
    assert.equal(await one.publicKey.verify(data, signature), true);
    assert.equal(await two.publicKey.verify(data, signature), false);
    assert.equal(await one.publicKey.verify(altered, signature), false);
    assert.equal(await one.publicKey.verify(data, signature.subarray(1)), false);
    assert.equal(await one.publicKey.verify(data, new Uint8Array(0)), false);
  }
});
