import { test } from "bun:test";
import assert from "node:assert/strict";
import { addressesOfBlock, sizeOfBlock } from "../../lib/host/address_block.ts";

test("addressesOfBlock() lists what hosts of the block can have", () => {
  const blocks: [string, number | undefined, string[]][] = [
    ["10.0.0.9", undefined, ["10.0.0.9"]],
    ["10.0.0.9", 32, ["10.0.0.9"]],
    ["10.0.0.9", 31, ["10.0.0.8", "10.0.0.9"]],
    ["10.0.0.9", 30, ["10.0.0.9", "10.0.0.10"]],
    ["10.0.0.255", 29, [249, 250, 251, 252, 253, 254].map((last) => `10.0.0.${last}`)],
    ["::1", 128, ["::1"]],
    ["fd00::1", 127, ["fd00::", "fd00::1"]],
    ["fd00::ffff", 126, ["fd00::fffd", "fd00::fffe", "fd00::ffff"]],
    ["1:2:3:4:5:6:7:8", 128, ["1:2:3:4:5:6:7:8"]],
  ];
  for (const [address, prefixLength, expected] of blocks) {
    const block = { address, prefixLength };
    assert.deepEqual(addressesOfBlock(block, 100), expected, `${address}/${prefixLength}`);
    assert.equal(sizeOfBlock(block), expected.length, `${address}/${prefixLength}`);
  }
});

test("addressesOfBlock() counts on over bytes and groups, and ends where it is told", () => {
  const loopback = { address: "127.0.0.1", prefixLength: 8 };
  const many = addressesOfBlock(loopback, 600);
  assert.equal(many.length, 600);
  assert.deepEqual([many[0], many[254], many[255], many[599]], [
    ...["127.0.0.1", "127.0.0.255", "127.0.1.0", "127.0.2.88"],
  ]);
  assert.equal(sizeOfBlock(loopback), 2 ** 24 - 2);
  const six = addressesOfBlock({ address: "fd00::", prefixLength: 64 }, 70_000);
  assert.deepEqual([six[0], six[65_534], six[65_535]], ["fd00::1", "fd00::ffff", "fd00::1:0"]);
  assert.equal(sizeOfBlock({ address: "::", prefixLength: 0 }), 2 ** 128);
});
