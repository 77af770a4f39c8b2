import { test } from "bun:test";
import assert from "node:assert/strict";
import { deliveryIntervals } from "../../../lib/p2p/metrics/delivery_intervals.ts";
import { OneWayDelays } from "../../../lib/p2p/one_way_delays.ts";
import { Histogram } from "../../../lib/stats/histogram.ts";

test("deliveryIntervals() tells what came since the call before", () => {
  const intervalTo = deliveryIntervals();
  const delivery = new Histogram();
  const negative = new Histogram();
  const delays = () => new OneWayDelays(delivery.copy(), negative.copy());
  for (let i = 0; i < 100; i++) delivery.record(5_000);
  assert.equal(intervalTo(1_000, delays()), undefined);
  delivery.record(9_000);
  negative.record(7_000);
  const interval = intervalTo(2_500, delays())!;
  assert.equal(interval.lengthMs, 1_500);
  assert.equal(interval.delivery.count, 2);
  assert.equal(interval.delivery.maxNs, 9_000);
  assert.ok(Math.abs(interval.delivery.minNs + 7_000) <= 7);
  assert.equal(intervalTo(3_500, delays())!.delivery.count, 0);
  // Another run has begun: what came since cannot be told.
  const anew = new Histogram();
  anew.record(1);
  assert.equal(intervalTo(500, new OneWayDelays(anew, negative)), undefined);
  assert.equal(intervalTo(600, new OneWayDelays(anew, negative))!.delivery.count, 0);
});
