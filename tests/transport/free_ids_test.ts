import { test } from "bun:test";
import assert from "node:assert/strict";
import { FreeIds } from "../../lib/transport/free_ids.ts";

test("FreeIds takes the lowest free id, whatever was taken and released", () => {
  const ids = new FreeIds();
  const used = new Set<number>();
  let state = 42;
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  for (let step = 0; step < 20_000; step++) {
    // Grows for a while, then shrinks.
    if (random(100) < (step < 12_000 ? 65 : 35)) {
      let lowest = 0;
      while (used.has(lowest)) lowest++;
      assert.equal(ids.take(), lowest);
      used.add(lowest);
    } else if (used.size > 0) {
      const id = [...used][random(used.size)]!;
      ids.release(id);
      used.delete(id);
    }
    assert.equal(ids.used, used.size);
  }
});

test("FreeIds grows beyond its first size", () => {
  const ids = new FreeIds();
  for (let id = 0; id < 100_000; id++) assert.equal(ids.take(), id);
  ids.release(70_000);
  ids.release(31);
  ids.release(32);
  assert.deepEqual([ids.take(), ids.take(), ids.take(), ids.take()], [31, 32, 70_000, 100_000]);
});
