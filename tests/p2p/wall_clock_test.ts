import { test } from "bun:test";
import assert from "node:assert/strict";
import { realtimeNs } from "../../lib/host/libc.ts";
import { nowNs } from "../../lib/stats/clock.ts";
import { WallClock } from "../../lib/p2p/wall_clock.ts";

/** Clocks that a test turns. */
function hands() {
  const at = { monotonicNs: 1e9, realtimeNs: 5e9 };
  const clock = new WallClock(0, () => at.realtimeNs, () => at.monotonicNs);
  const pass = (ns: number, driftNs = 0) => {
    at.monotonicNs += ns;
    at.realtimeNs += ns + driftNs;
  };
  return { at, clock, pass };
}

test("realtimeNs() is the time of day", () => {
  const origin = Math.floor(Date.now() / 1000) - 10;
  const beforeMs = Date.now();
  const ms = origin * 1000 + realtimeNs(origin) / 1e6;
  assert.ok(ms >= beforeMs && ms <= Date.now() + 1, `${ms} is not about ${beforeMs}`);
});

test("WallClock.nowNs() shows the time of day to the microsecond", () => {
  const clock = new WallClock(Math.floor(Date.now() / 1000));
  const offsets = Array.from({ length: 50 }, () => {
    const before = clock.nowNs();
    const exact = realtimeNs(clock.originSeconds);
    return Math.abs(exact - (before + clock.nowNs()) / 2);
  });
  // The least disturbed of them.
  assert.ok(Math.min(...offsets) < 50e3, `off by ${Math.min(...offsets)} ns`);
});

test("WallClock goes with the monotonic clock between anchors", () => {
  const { at, clock, pass } = hands();
  assert.equal(clock.nowNs(), 5e9);
  pass(250);
  assert.equal(clock.nowNs(), 5e9 + 250);
  at.realtimeNs += 1e9;
  assert.equal(clock.nowNs(), 5e9 + 250);
  clock.anchor();
  assert.equal(clock.nowNs(), 6e9 + 250);
  assert.deepEqual(clock.steps, { count: 1, lastNs: 1e9 });
});

test("WallClock tells a step from slewing", () => {
  const { clock, pass } = hands();
  pass(1e9, 500e3);
  clock.anchor();
  assert.equal(clock.nowNs(), 6e9 + 500e3);
  assert.equal(clock.steps.count, 0);
  pass(1e9, -2e6);
  clock.anchor();
  assert.deepEqual(clock.steps, { count: 1, lastNs: -2e6 });
});

test("WallClock.toMonotonic() is the inverse of atMonotonic()", () => {
  const clock = new WallClock(Math.floor(Date.now() / 1000));
  const atNs = nowNs();
  assert.ok(Math.abs(clock.toMonotonic(clock.atMonotonic(atNs)) - atNs) < 1);
});
