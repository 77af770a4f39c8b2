import { test } from "bun:test";
import assert from "node:assert/strict";
import { Histogram } from "../../lib/stats/histogram.ts";
import { IntervalHistogram } from "../../lib/stats/interval_histogram.ts";
import { seededRandom } from "./seeded_random.ts";

test("swap() splits what total() holds together", () => {
  const random = seededRandom(11);
  const intervals = new IntervalHistogram();
  const [everything, summed] = [new Histogram(), new Histogram()];
  for (let second = 0; second < 7; second++) {
    const values = Array.from({ length: second * 50 }, () => random() * 10 ** (3 + second));
    for (const value of values) {
      intervals.record(value);
      everything.record(value);
    }
    assert.equal(intervals.total().encode(), everything.encode());
    assert.equal(intervals.count, everything.count);
    const ended = intervals.swap();
    assert.equal(ended.count, values.length);
    summed.add(ended);
  }
  assert.equal(intervals.swap().count, 0);
  assert.equal(summed.encode(), everything.encode());
  assert.equal(intervals.total().encode(), everything.encode());
});

test("total() is a histogram of its own", () => {
  const intervals = new IntervalHistogram();
  intervals.record(1);
  const total = intervals.total();
  intervals.record(2);
  intervals.swap();
  assert.equal(total.count, 1);
  assert.equal(intervals.count, 2);
});
