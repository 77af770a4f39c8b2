import { test } from "bun:test";
import assert from "node:assert/strict";
import { ExploreClock } from "../../lib/p2p/explore_clock.ts";

const origin = 1_780_000_000;

test("ExploreClock.runOf() begins where unix time is a multiple of run and cool-down", () => {
  const clock = new ExploreClock({ runSeconds: 100, coolDownSeconds: 100 }, origin);
  const period = clock.periodAt(0);
  assert.equal(period, 8_900_000);
  assert.deepEqual(clock.runOf(period), { startNs: 0, endNs: 100e9 });
  assert.deepEqual(clock.runOf(period + 2), { startNs: 400e9, endNs: 500e9 });
  assert.equal(clock.periodAt(199e9), period);
  assert.equal(clock.periodAt(200e9), period + 1);
});

test("ExploreClock.firstPeriodFrom() waits for a whole run", () => {
  const clock = new ExploreClock({ runSeconds: 100, coolDownSeconds: 100 }, origin);
  assert.equal(clock.firstPeriodFrom(0), 8_900_000);
  assert.equal(clock.firstPeriodFrom(1), 8_900_001);
  assert.equal(clock.firstPeriodFrom(150e9), 8_900_001);
});

test("ExploreClock.resetNs() is within the cool-down, and leaves half of it", () => {
  for (const coolDownSeconds of [0.5, 2, 10, 100]) {
    const clock = new ExploreClock({ runSeconds: 3, coolDownSeconds }, origin);
    const period = clock.firstPeriodFrom(0);
    const { endNs } = clock.runOf(period);
    const resetNs = clock.resetNs(period);
    assert.ok(resetNs > endNs && resetNs <= endNs + 5e9);
    assert.ok(clock.runOf(period + 1).startNs - resetNs >= (coolDownSeconds / 2) * 1e9 - 1000);
  }
});

test("ExploreClock.periodOf() is that of the run, some time before and after it", () => {
  const clock = new ExploreClock({ runSeconds: 2, coolDownSeconds: 1 }, 0);
  assert.deepEqual(
    [299.6, 299.999999, 300, 302, 302.4].map((seconds) => clock.periodOf(seconds)),
    [100, 100, 100, 100, 100],
  );
  assert.equal(clock.periodOf(299.4), 99);
  assert.equal(clock.periodOf(302.6), 101);
});
