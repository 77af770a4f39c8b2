import { test } from "bun:test";
import assert from "node:assert/strict";
import { noDelays, OneWayDelays } from "../../lib/p2p/one_way_delays.ts";
import { Histogram } from "../../lib/stats/histogram.ts";

function delaysOf(valuesNs: readonly number[]): OneWayDelays {
  const positive = new Histogram();
  const negative = new Histogram();
  for (const ns of valuesNs) (ns < 0 ? negative : positive).record(Math.abs(ns));
  return new OneWayDelays(positive, negative);
}

test("OneWayDelays has percentiles of all delays, negative ones too", () => {
  for (const negatives of [0, 1, 40, 99, 100]) {
    // Small enough for a bucket each.
    const values = Array.from({ length: 100 }, (_, index) => index - negatives);
    const delays = delaysOf(values.toSorted(() => 0.5 - Math.random()));
    assert.deepEqual([delays.count, delays.negativeCount], [100, negatives]);
    assert.deepEqual([delays.minNs, delays.maxNs], [values[0], values.at(-1)]);
    assert.equal(delays.meanNs, values.reduce((sum, ns) => sum + ns, 0) / 100);
    for (let percent = 1; percent < 100; percent++) {
      assert.equal(delays.percentileNs(percent), values[percent - 1], `p${percent}, ${negatives}`);
    }
    assert.deepEqual(delays.percentilesNs([0, 50, 100]), [values[0], values[49], values[99]]);
  }
  assert.ok(Number.isNaN(noDelays.percentileNs(50)) && Number.isNaN(noDelays.meanNs));
});

test("OneWayDelays.since() has what came later, of both signs", () => {
  const later = delaysOf([-5, -5, -7, 3, 4]).since(delaysOf([-5, 3]));
  assert.deepEqual([later.count, later.negativeCount], [3, 2]);
  assert.deepEqual(later.percentilesNs([50, 100]), [-5, 4]);
});

test("OneWayDelays tells of negative delays, and what cannot be judged because of them", () => {
  const many = delaysOf([-3e6, -2e6, -1e6, 4e6]);
  assert.match(
    many.warning().join(),
    /75\.0 % of the one-way delays are negative, down to -3\.00 ms/,
  );
  assert.match(many.faults(["lost==0", " delivery.p99<1s"]).join(), /^delivery\.p99<1s cannot be/);
  assert.deepEqual(many.faults(["delivery.negative<1%", "delivery-corrected.p99<1s"]), []);
  const few = delaysOf([-1, ...new Array(99).fill(5)]);
  assert.equal(few.warning().length, 1);
  assert.deepEqual(few.faults(["delivery.p99<1s"]), []);
  assert.deepEqual(delaysOf([-1, ...new Array(199).fill(5)]).warning(), []);
  assert.deepEqual(noDelays.warning(), []);
});
