import { test } from "bun:test";
import assert from "node:assert/strict";
import { arrivals } from "../../lib/p2p/index_range.ts";
import { IndexTracker } from "../../lib/p2p/index_tracker.ts";

const heartbeatNs = 1e6;

/** A tracker, and runs of its sender that each start at a time. */
function tracked() {
  const tracker = new IndexTracker(7);
  const run = (startNs: number) => (...indices: number[]) =>
    indices.map((index) => tracker.add(index, startNs + index * heartbeatNs, 100));
  return { tracker, run, counts: tracker.counts };
}

test("IndexTracker counts what came, what is pending, twice and out of order", () => {
  const { run, counts } = tracked();
  run(0)(2, 3, 7, 5, 5, 8, 2);
  assert.equal(counts.received, 5);
  assert.equal(counts.firstIndex, 2);
  assert.equal(counts.lastIndex, 8);
  // max - min + 1 - seen: 4 and 6 are missing.
  assert.equal(counts.pending, 2);
  assert.equal(counts.gaps, 2);
  assert.equal(counts.duplicates, 2);
  assert.equal(counts.outOfOrder, 1);
  assert.equal(counts.restarts, 0);
  assert.equal(counts.delaySumNs, 500);
});

test("IndexTracker comes back to nothing pending when all has come", () => {
  const { run, counts } = tracked();
  run(0)(9, 4, 1, 0, 2, 3, 8, 7, 6, 5);
  assert.equal(counts.pending, 0);
  assert.equal(counts.gaps, 0);
  assert.equal(counts.received, 10);
});

test("IndexTracker recognises a sender that begins at 0 again", () => {
  const { run, counts } = tracked();
  run(0)(0, 1, 2, 4, 5);
  run(100 * heartbeatNs)(0, 1, 2, 3, 4, 5, 6);
  assert.equal(counts.restarts, 1);
  assert.equal(counts.received, 12);
  assert.equal(counts.duplicates, 0);
  assert.equal(counts.outOfOrder, 0);
  assert.equal(counts.firstIndex, 0);
  assert.equal(counts.lastIndex, 6);
  // Message 3 of the first run has still not come.
  assert.equal(counts.pending, 1);
});

test("IndexTracker counts stragglers and duplicates of the run before in it", () => {
  const { run, counts } = tracked();
  const first = run(0);
  const second = run(1000 * heartbeatNs);
  first(0, 1, 2, 5, 6);
  second(0, 1);
  first(3, 7, 6);
  second(2, 3);
  assert.equal(counts.restarts, 1);
  assert.equal(counts.received, 11);
  assert.equal(counts.duplicates, 1);
  assert.equal(counts.pending, 1);
});

test("IndexTracker keeps what is pending of many runs", () => {
  const { run, counts } = tracked();
  for (let start = 0; start < 10; start++) run(start * 1000 * heartbeatNs)(0, 2);
  assert.equal(counts.restarts, 9);
  assert.equal(counts.pending, 10);
  assert.equal(counts.gaps, 10);
  assert.equal(counts.received, 20);
});

test("IndexTracker takes a restart whose first messages arrive in disorder", () => {
  const { run, counts } = tracked();
  run(0)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
  run(1000 * heartbeatNs)(2, 1, 0, 3);
  assert.equal(counts.restarts, 1);
  assert.equal(counts.received, 14);
  assert.equal(counts.outOfOrder, 2);
  assert.equal(counts.pending, 0);
});

test("IndexTracker recognises a restart with a clock that went back", () => {
  const { run, counts } = tracked();
  run(1000 * heartbeatNs)(0, 1, 2, 3, 4, 5);
  run(500 * heartbeatNs)(0, 1, 2, 3, 4, 5, 6);
  assert.equal(counts.restarts, 1);
  assert.equal(counts.received, 13);
  assert.equal(counts.duplicates, 0);
  assert.equal(counts.pending, 0);
});

test("IndexTracker is not misled by a clock that steps back within a run", () => {
  const { tracker, counts } = tracked();
  for (let index = 0; index < 50; index++) {
    tracker.add(index, index < 25 ? 1e12 + index : 5e11 + index, 0);
  }
  assert.equal(tracker.add(10, 1e12 + 10, 0), arrivals.again);
  assert.equal(tracker.add(30, 5e11 + 30, 0), arrivals.again);
  assert.equal(counts.restarts, 0);
  assert.equal(counts.received, 50);
});

test("IndexTracker.reset() begins anew and abandons what is pending", () => {
  const { tracker, run, counts } = tracked();
  run(0)(0, 1, 5);
  tracker.reset();
  assert.equal(counts.pending, 0);
  assert.equal(counts.abandoned, 3);
  assert.equal(counts.lastIndex, -1);
  run(1000 * heartbeatNs)(0, 1);
  assert.equal(counts.restarts, 0);
  assert.equal(counts.received, 5);
});
