import { test } from "bun:test";
import assert from "node:assert/strict";
import { ConnectionPool } from "../../lib/load/connection_pool.ts";
import { GrowingIntervalSource } from "../../lib/load/growing_interval_source.ts";
import { LatencyRecorder } from "../../lib/load/latency_recorder.ts";
import { notDue } from "../../lib/load/message_source.ts";
import { wholeOf } from "../../lib/load/share.ts";

const intervalMs = 100;
const intervalNs = intervalMs * 1e6;

/** A pool that opens connection k after k ms, as soon as it is attempted. */
function growingPool(connections: number) {
  const opened: number[] = [];
  const side = {
    connect: (id: number) => {
      opened.push(id);
    },
    terminate() {},
  };
  const settings = { connections, connectsPerSecond: 1000, connectTimeoutNs: 1e12 };
  const pool = new ConnectionPool(settings, side, new LatencyRecorder());
  pool.start(0);
  const openUntil = (atNs: number) => {
    pool.step(atNs);
    for (const id of opened.splice(0)) pool.markOpen(id);
  };
  return { pool, openUntil };
}

test("take() sends on each connection once an interval from its opening on, at a fixed phase", () => {
  const connections = 300;
  const { pool, openUntil } = growingPool(connections);
  const source = new GrowingIntervalSource(intervalMs, pool, wholeOf(connections));
  const turns = new Map<number, number[]>();
  let lastNs = -1;
  while (source.nextNs < 10 * intervalNs) {
    const { nextNs, gapNs } = source;
    assert.ok(nextNs >= lastNs, "in the order of time");
    assert.equal(gapNs, intervalNs);
    lastNs = nextNs;
    openUntil(nextNs);
    const id = source.take();
    if (id !== notDue) turns.set(id, [...turns.get(id) ?? [], nextNs]);
  }
  assert.equal(turns.size, connections);
  for (const [id, times] of turns) {
    const phaseNs = times[0]! % intervalNs;
    for (const [k, atNs] of times.entries()) {
      assert.ok(Math.abs(atNs - times[0]! - k * intervalNs) < 1, `connection ${id}, turn ${k}`);
    }
    // Its first turn is its first phase after it was open, but for a gap of the grid.
    const openNs = id * 1e6;
    const slackNs = 5e6;
    assert.ok(times[0]! >= openNs && times[0]! <= openNs + intervalNs + slackNs, `${id}`);
    assert.ok(phaseNs >= 0 && phaseNs < intervalNs);
  }
});

test("take() spreads the turns evenly, however many are open", () => {
  for (const connections of [1, 2, 7, 64, 100, 1000, 4096]) {
    const { pool, openUntil } = growingPool(4096);
    for (let ms = 0; pool.attempted < connections; ms++) openUntil(ms * 1e6);
    const source = new GrowingIntervalSource(intervalMs, pool, wholeOf(4096));
    const times: number[] = [];
    while (source.nextNs < 3 * intervalNs) {
      const { nextNs } = source;
      if (source.take() !== notDue && nextNs >= intervalNs) times.push(nextNs);
    }
    assert.equal(times.length, 2 * connections);
    // No gap is more than twice as long as it would be if all were the same.
    const gaps = times.slice(1).map((atNs, index) => atNs - times[index]!);
    const evenNs = intervalNs / connections;
    const longest = gaps.length === 0 ? 0 : Math.max(...gaps);
    assert.ok(longest < 2.01 * evenNs, `${connections}: ${longest / evenNs}`);
    assert.ok(Math.min(...gaps) > 0.49 * evenNs, `${connections}`);
  }
});

test("expectedCount() counts the open connections' turns", () => {
  const { pool, openUntil } = growingPool(50);
  for (let ms = 0; ms < 20; ms++) openUntil(ms * 1e6);
  const source = new GrowingIntervalSource(intervalMs, pool, wholeOf(50));
  assert.equal(source.expectedCount(0, 3 * intervalNs), 60);
  assert.equal(source.expectedCount(5, 5), 0);
});

test("take() of two shares gives turns at different times", () => {
  const sources = [0, 1].map((index) => {
    const { pool, openUntil } = growingPool(8);
    for (let ms = 0; ms < 8; ms++) openUntil(ms * 1e6);
    return new GrowingIntervalSource(intervalMs, pool, { index, of: 2, connections: 16 });
  });
  const [first, second] = sources.map((source) => {
    const times: number[] = [];
    while (source.nextNs < 2 * intervalNs) {
      const { nextNs } = source;
      if (source.take() !== notDue) times.push(nextNs);
    }
    return times;
  });
  assert.equal(first!.length, 16);
  assert.equal(first!.filter((atNs) => second!.includes(atNs)).length, 0);
});
