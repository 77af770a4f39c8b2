import { test } from "bun:test";
import assert from "node:assert/strict";
import { type Arrival, arrivals, IndexRange } from "../../lib/p2p/index_range.ts";

/** The same with a set, and everything counted from it. */
class ExactRange {
  private readonly came = new Set<number>();

  add(index: number): Arrival {
    if (this.came.has(index)) return arrivals.again;
    this.came.add(index);
    return arrivals.first;
  }

  figures() {
    const sorted = [...this.came].sort((a, b) => a - b);
    return {
      lowest: sorted[0] ?? -1,
      highest: sorted.at(-1) ?? -1,
      seen: sorted.length,
      holes: sorted.filter((index, at) => at > 0 && index !== sorted[at - 1]! + 1).length,
      missing: sorted.length === 0 ? 0 : sorted.at(-1)! - sorted[0]! + 1 - sorted.length,
    };
  }
}

function figuresOf({ lowest, highest, seen, holes, missing }: IndexRange) {
  return { lowest, highest, seen, holes, missing };
}

function rangeOf(...indices: number[]): IndexRange {
  const range = new IndexRange();
  for (const index of indices) range.add(index);
  return range;
}

test("IndexRange.add() follows a sequence in order without a hole", () => {
  const range = new IndexRange();
  for (let index = 0; index < 100_000; index++) assert.equal(range.add(index), arrivals.first);
  assert.deepEqual(figuresOf(range), {
    lowest: 0,
    highest: 99_999,
    seen: 100_000,
    holes: 0,
    missing: 0,
  });
});

test("IndexRange counts holes and what is missing in them", () => {
  assert.deepEqual(figuresOf(rangeOf(5, 6, 9, 10, 20)), {
    lowest: 5,
    highest: 20,
    seen: 5,
    holes: 2,
    missing: 11,
  });
  // A hole splits, closes at its ends, and is gone.
  assert.equal(rangeOf(0, 4, 2).holes, 2);
  assert.equal(rangeOf(0, 4, 2, 1).holes, 1);
  assert.equal(rangeOf(0, 4, 2, 1, 3).holes, 0);
});

test("IndexRange.add() tells what came before", () => {
  const range = rangeOf(3, 4, 8);
  assert.equal(range.add(3), arrivals.again);
  assert.equal(range.add(8), arrivals.again);
  assert.equal(range.add(6), arrivals.first);
  assert.equal(range.add(6), arrivals.again);
  assert.equal(range.add(1), arrivals.first);
  assert.equal(range.add(4), arrivals.again);
  assert.equal(range.missing, 8 - 1 + 1 - 5);
});

test("IndexRange agrees with a set on random orders", () => {
  for (let round = 0; round < 200; round++) {
    const range = new IndexRange();
    const exact = new ExactRange();
    const start = Math.floor(Math.random() * (round % 2 === 0 ? 10 : 2 ** 50));
    const spread = 1 + Math.floor(Math.random() * 3_000);
    for (let step = 0; step < 500; step++) {
      const index = start + Math.floor(step / 2) + Math.floor(Math.random() * spread);
      assert.equal(range.add(index), exact.add(index));
    }
    assert.deepEqual(figuresOf(range), exact.figures());
  }
});

test("IndexRange gives up what is missing for a million others, and counts it as missing", () => {
  const range = rangeOf(0, 2);
  for (let index = 3; index < 1_200_000; index++) range.add(index);
  assert.equal(range.missing, 1);
  assert.equal(range.holes, 1);
  assert.equal(range.add(1), arrivals.unclassified);
  assert.equal(range.add(1_200_000), arrivals.first);
  assert.equal(range.add(1_199_999), arrivals.unclassified);
  assert.equal(range.missing, 1);
});

test("IndexRange takes a leap to the end of all indices", () => {
  const range = rangeOf(0, 1);
  const beforeMs = performance.now();
  assert.equal(range.add(Number.MAX_SAFE_INTEGER - 1), arrivals.first);
  assert.equal(range.add(Number.MAX_SAFE_INTEGER - 3), arrivals.first);
  assert.equal(range.add(Number.MAX_SAFE_INTEGER - 1), arrivals.again);
  assert.equal(range.add(5), arrivals.unclassified);
  assert.equal(range.holes, 2);
  assert.equal(range.missing, Number.MAX_SAFE_INTEGER - 1 + 1 - 4);
  assert.ok(performance.now() - beforeMs < 2_000);
});

test("IndexRange does not reach a million back", () => {
  const range = rangeOf(5_000_000, 5_000_001);
  assert.equal(range.add(3), arrivals.unclassified);
  assert.equal(range.add(4_999_999), arrivals.first);
  assert.deepEqual(figuresOf(range), {
    lowest: 4_999_999,
    highest: 5_000_001,
    seen: 3,
    holes: 0,
    missing: 0,
  });
});
