import { test } from "bun:test";
import assert from "node:assert/strict";
import { hasBroadcaster, isBroadcasting, modes, turnAt, turnOf } from "../../lib/p2p/mode.ts";

test("isBroadcasting() names everyone, or the broadcaster", () => {
  for (const mode of modes) {
    assert.equal(isBroadcasting(mode, 2, 2), true);
    assert.equal(isBroadcasting(mode, 1, 2), !hasBroadcaster(mode));
  }
  assert.deepEqual(modes.filter(hasBroadcaster), ["one", "explore"]);
});

test("turnAt() is floor(unix seconds / round) mod n", () => {
  const rounds = { roundSeconds: 3, numNodes: 4 };
  assert.deepEqual(
    [0, 2.999, 3, 8.5, 9, 11.9, 12].map((seconds) => turnAt(seconds, rounds)),
    [0, 0, 1, 2, 3, 3, 0],
  );
  // 1,780,000,000 / 3 = 593,333,333.3, and that modulo 5 is 3.
  assert.equal(turnAt(1_780_000_000, { roundSeconds: 3, numNodes: 5 }), 3);
});

test("turnOf() is the turn that goes on, or the next", () => {
  const rounds = { roundSeconds: 3, numNodes: 4 };
  const origin = 1_200; // a whole number of cycles of 12 s
  const turn = (node: number, seconds: number) => {
    const { startNs, endNs } = turnOf(node, seconds * 1e9, origin, rounds);
    return [startNs / 1e9, endNs / 1e9];
  };
  assert.deepEqual(turn(0, 0), [0, 3]);
  assert.deepEqual(turn(0, 2.5), [0, 3]);
  assert.deepEqual(turn(0, 3), [12, 15]);
  assert.deepEqual(turn(3, 0), [9, 12]);
  assert.deepEqual(turn(3, 11.9), [9, 12]);
  assert.deepEqual(turn(2, 100), [102, 105]);
});

test("turnOf() gives every instant to the node that turnAt() names", () => {
  const origin = 1_780_000_001;
  for (const roundSeconds of [0.5, 1, 3, 7]) {
    const rounds = { roundSeconds, numNodes: 5 };
    for (let atNs = 0; atNs < 60e9; atNs += 0.37e9) {
      const owner = turnAt(origin + atNs / 1e9, rounds);
      for (let node = 0; node < 5; node++) {
        const { startNs, endNs } = turnOf(node, atNs, origin, rounds);
        assert.ok(endNs > atNs && Math.abs(endNs - startNs - roundSeconds * 1e9) < 1);
        assert.equal(startNs <= atNs, node === owner);
      }
    }
  }
});
