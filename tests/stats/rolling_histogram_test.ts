import { test } from "bun:test";
import assert from "node:assert/strict";
import { Histogram } from "../../lib/stats/histogram.ts";
import { RollingHistogram } from "../../lib/stats/rolling_histogram.ts";
import { seededRandom } from "./seeded_random.ts";

const secondNs = 1e9;

/** A clock that stands still until it is set. */
function settableClock(): { atNs: number; now: () => number } {
  const clock = { atNs: 0, now: () => clock.atNs };
  return clock;
}

test("window() holds the last minute, total() everything", () => {
  const clock = settableClock();
  const rolling = new RollingHistogram(clock.now);
  const random = seededRandom(5);
  const recorded: { atNs: number; ns: number }[] = [];
  const everything = new Histogram();
  for (let step = 0; step < 3000; step++) {
    // Mostly small steps, now and then a silence of up to three windows.
    clock.atNs += random() < 0.01 ? random() * 180 * secondNs : random() * secondNs;
    const ns = Math.floor(random() * 10 ** (2 + (step % 8)));
    rolling.record(ns);
    everything.record(ns);
    recorded.push({ atNs: clock.atNs, ns });
    if (step % 20 !== 0) continue;
    const expected = new Histogram();
    const firstNs = (Math.floor(clock.atNs / (5 * secondNs)) - 11) * 5 * secondNs;
    for (const each of recorded) if (each.atNs >= firstNs) expected.record(each.ns);
    const window = rolling.window();
    assert.equal(window.encode(), expected.encode());
    assert.equal(window.minNs, expected.minNs);
    assert.equal(window.maxNs, expected.maxNs);
    assert.equal(rolling.total().encode(), everything.encode());
    assert.equal(rolling.count, everything.count);
    assert.equal(rolling.sumNs, everything.sumNs);
  }
});

test("window() keeps a value for 55 to 60 seconds", () => {
  for (let second = 0; second < 7; second++) {
    const clock = settableClock();
    const rolling = new RollingHistogram(clock.now);
    clock.atNs = second * secondNs;
    rolling.record(7);
    clock.atNs = (second + 55) * secondNs - 1;
    assert.equal(rolling.window().count, 1);
    clock.atNs = (second + 60) * secondNs;
    assert.equal(rolling.window().count, 0);
    assert.ok(Number.isNaN(rolling.window().percentileNs(50)));
    assert.equal(rolling.total().maxNs, 7);
    assert.equal(rolling.count, 1);
    assert.equal(rolling.sumNs, 7);
  }
});

test("window() and total() are histograms of their own", () => {
  const rolling = new RollingHistogram(settableClock().now);
  rolling.record(1);
  const [window, total] = [rolling.window(), rolling.total()];
  rolling.record(2);
  assert.deepEqual([window.count, total.count, rolling.count], [1, 1, 2]);
});

test("record() counts on the clock of the process unless another is given", () => {
  const rolling = new RollingHistogram();
  rolling.record(3);
  assert.equal(rolling.window().maxNs, 3);
});
