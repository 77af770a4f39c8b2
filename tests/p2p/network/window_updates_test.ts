import { test } from "bun:test";
import assert from "node:assert/strict";
import { WindowUpdates } from "../../../lib/p2p/network/window_updates.ts";

const firstWindowBytes = 256 * 1024;

test("WindowUpdates give back small reads together", () => {
  const updates = new WindowUpdates();
  const sent = Array.from({ length: 130 }, () => updates.due(1, 1_024)).filter((bytes) =>
    bytes > 0
  );
  assert.deepEqual(sent, [64 * 1_024, 64 * 1_024]);
  assert.equal(updates.due(1, 100_000), 2 * 1_024 + 100_000);
  assert.equal(updates.due(3, 65_536), 65_536);
});

test("WindowUpdates hold back what the first window grows by until it matters", () => {
  const updates = new WindowUpdates();
  assert.equal(updates.due(1, firstWindowBytes + 1_000), 0);
  assert.equal(updates.due(1, 1_000), 0);
  assert.equal(updates.due(1, 65_000), firstWindowBytes + 67_000);
  // By then the window is larger: what an update of that size means is not certain.
  assert.equal(updates.due(1, firstWindowBytes + 1_000), firstWindowBytes + 1_000);
  assert.equal(updates.due(2, 2 * firstWindowBytes), 2 * firstWindowBytes);
});

test("WindowUpdates never leave a peer without a window", () => {
  let state = 12_345;
  const random = (below: number) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  for (let round = 0; round < 500; round++) {
    const updates = new WindowUpdates();
    // Of the library: its window, and what of it is free; of the peer: what it may still send.
    let [window, free, mayBeSent] = Array.from({ length: 3 }, () => firstWindowBytes) as [
      ...[number, number, number],
    ];
    for (let frame = 0; frame < 300; frame++) {
      assert.ok(mayBeSent > 0, `round ${round}, frame ${frame}`);
      const size = Math.min(
        mayBeSent,
        1 + random([100, 20_000, 300_000, 2_000_000][random(4)] ?? 1),
      );
      mayBeSent -= size;
      free -= size;
      assert.ok(free >= 0);
      if (random(3) === 0) window = Math.min(2 * window, 16 * 2 ** 20);
      mayBeSent += updates.due(1, window - free);
      free = window;
    }
  }
});

test("WindowUpdates forget streams that have ended", () => {
  const updates = new WindowUpdates();
  for (let stream = 1; stream < 100; stream++) updates.due(stream, 10);
  updates.retain(new Set([7, 9, 1_000]));
  assert.equal(updates.size, 2);
});
