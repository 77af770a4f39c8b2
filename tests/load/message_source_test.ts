import { test } from "bun:test";
import assert from "node:assert/strict";
import { ConnectionPool } from "../../lib/load/connection_pool.ts";
import { LatencyRecorder } from "../../lib/load/latency_recorder.ts";
import type { OpenLoad } from "../../lib/load/load_settings.ts";
import {
  createMessageSource,
  type MessageSource,
  noConnection,
  notDue,
} from "../../lib/load/message_source.ts";
import { Schedule } from "../../lib/load/schedule.ts";
import { poisson, uniform } from "./load_run.ts";

/** A pool of which these connections are open. */
function poolOf(connections: number, open: Iterable<number>): ConnectionPool {
  const settings = { connections, connectsPerSecond: 1e9, connectTimeoutNs: 1e12 };
  const side = { connect() {}, terminate() {} };
  const pool = new ConnectionPool(settings, side, new LatencyRecorder());
  pool.start(0);
  while (pool.attempted < connections) pool.step(1e12);
  for (const id of open) pool.markOpen(id);
  return pool;
}

function sourceOf(
  load: OpenLoad,
  pool: ConnectionPool,
  connections: number,
  seed = 42,
): MessageSource {
  return createMessageSource(load, connections, seed, pool);
}

function take(source: MessageSource, count: number): { atNs: number; id: number; gapNs: number }[] {
  return Array.from({ length: count }, () => {
    const { nextNs, gapNs } = source;
    return { atNs: nextNs, gapNs, id: source.take() };
  });
}

test("createMessageSource() makes the same plan of the same seed, and another of another", () => {
  const pool = poolOf(50, Array(50).keys());
  const plan = (seed: number) => take(sourceOf(poisson(1000), pool, 50, seed), 2000);
  assert.deepEqual(plan(42), plan(42));
  const first = plan(42);
  const second = plan(43);
  assert.ok(first.filter(({ atNs }, k) => atNs === second[k]!.atNs).length < 5);
  assert.ok(first.filter(({ id }, k) => id === second[k]!.id).length < 200);
});

test("take() keeps the times of a Poisson plan whatever is open", () => {
  const all = take(sourceOf(poisson(1000), poolOf(50, Array(50).keys()), 50), 1000);
  const few = take(sourceOf(poisson(1000), poolOf(50, [7, 9]), 50), 1000);
  const none = take(sourceOf(poisson(1000), poolOf(50, []), 50), 1000);
  assert.deepEqual(few.map(({ atNs }) => atNs), all.map(({ atNs }) => atNs));
  assert.deepEqual(none.map(({ atNs }) => atNs), all.map(({ atNs }) => atNs));
  assert.deepEqual([...new Set(few.map(({ id }) => id))].sort(), [7, 9]);
  assert.ok(none.every(({ id }) => id === noConnection));
});

test("take() chooses among open connections uniformly at random for Poisson arrivals", () => {
  const connections = 20;
  const count = 40_000;
  const pool = poolOf(connections, Array(connections).keys());
  const taken = take(sourceOf(poisson(1000), pool, connections), count);
  const counts = new Array<number>(connections).fill(0);
  let same = 0;
  for (const [k, { id }] of taken.entries()) {
    counts[id]!++;
    if (k > 0 && id === taken[k - 1]!.id) same++;
  }
  const expected = count / connections;
  const chi = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  // chi² of 19 degrees has mean 19 and standard deviation 6.2.
  assert.ok(chi > 2 && chi < 50, `chi² ${chi}`);
  assert.ok(Math.abs(same / count - 1 / connections) < 0.006, `${same} times the same again`);
});

test("take() lets open connections take turns for uniform arrivals", () => {
  const pool = poolOf(5, [0, 1, 2, 3, 4]);
  const source = sourceOf(uniform(1000), pool, 5);
  const taken = take(source, 10);
  assert.deepEqual(taken.map(({ id }) => id), [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
  for (const [k, { atNs }] of taken.entries()) assert.ok(Math.abs(atNs - k * 1e6) < 1e-3);
  pool.markClosed(4, undefined);
  pool.markClosed(1, undefined);
  const counts = new Map<number, number>();
  for (const { id } of take(source, 300)) counts.set(id, (counts.get(id) ?? 0) + 1);
  assert.deepEqual([...counts.keys()].sort(), [0, 2, 3]);
  assert.ok([...counts.values()].every((count) => Math.abs(count - 100) <= 1));
});

test("sortOpen() makes a plan independent of the order in which connections opened", () => {
  const plans = [[0, 1, 2, 3], [3, 1, 0, 2], [2, 3, 1, 0]].map((order) => {
    const pool = poolOf(4, order);
    pool.sortOpen();
    return take(sourceOf(poisson(100), pool, 4), 200);
  });
  assert.deepEqual(plans[1], plans[0]);
  assert.deepEqual(plans[2], plans[0]);
});

test("take() sends on each connection once an interval, with phases spread evenly", () => {
  const connections = 8;
  const pool = poolOf(connections, [0, 1, 2, 5, 6, 7]);
  const source = sourceOf({ kind: "interval", intervalMs: 20 }, pool, connections);
  const taken = take(source, 10 * connections);
  for (let id = 0; id < connections; id++) {
    const isOpen = pool.isOpen(id);
    const own = taken.filter((_, k) => k % connections === id);
    assert.ok(own.every((one) => one.id === (isOpen ? id : notDue)));
    for (const [turn, { atNs, gapNs }] of own.entries()) {
      const dueNs = turn * 20e6 + id * 20e6 / connections;
      assert.ok(Math.abs(atNs - dueNs) < 1, `${id} is due at ${atNs}, not ${dueNs}`);
      assert.equal(gapNs, 20e6);
    }
  }
  // What is not open is not planned.
  assert.ok(Math.abs(source.expectedCount(0, 1e9) - 6 * 50) < 1e-6);
  pool.markOpen(3);
  assert.deepEqual(take(source, 8).map(({ id }) => id), [0, 1, 2, 3, notDue, 5, 6, 7]);
});

test("nextNs ends with the schedule", () => {
  const schedule = new Schedule([{ durationNs: 1e9, startRatePerSecond: 100, slopePerSecond2: 0 }]);
  const pool = poolOf(1, [0]);
  const source = sourceOf({ kind: "uniform", schedule }, pool, 1);
  assert.equal(take(source, 100).at(-1)!.atNs, 990e6);
  assert.equal(source.nextNs, Infinity);
  assert.equal(source.expectedCount(0, 5e9), 100);
});
