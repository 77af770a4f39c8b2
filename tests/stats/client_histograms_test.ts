import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  addHistograms,
  addPackedHistograms,
  emptyHistograms,
  packHistograms,
  resetHistograms,
} from "../../lib/stats/client_histograms.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import { clientSnapshot, histogramOfMs } from "./sample_snapshots.ts";
import { seededRandom } from "./seeded_random.ts";

function assertSame(actual: Histogram, expected: Histogram): void {
  assert.equal(actual.encode(), expected.encode());
  const exact = ({ count, sumNs, minNs, maxNs, clamped }: Histogram) => [
    count,
    sumNs,
    minNs,
    maxNs,
    clamped,
  ];
  assert.deepEqual(exact(actual), exact(expected));
}

test("addPacked() adds exactly what pack() was made of", () => {
  const random = seededRandom(7);
  const sum = new Histogram();
  const packedSum = new Histogram();
  for (let round = 0; round < 20; round++) {
    const one = new Histogram();
    for (let i = 0; i < round * 50; i++) one.record(random() * 2 ** (random() * 43));
    sum.add(one);
    packedSum.addPacked(structuredClone(one.pack()));
    assertSame(packedSum, sum);
  }
  assert.ok(sum.clamped > 0);
  packedSum.addPacked(new Histogram().pack());
  assertSame(packedSum, sum);
});

test("addPacked() has room for more than 32 bits can count", () => {
  const many = new Histogram();
  many.recordMany(1000, 3e9);
  const sum = new Histogram();
  sum.addPacked(many.pack());
  sum.addPacked(many.pack());
  assert.deepEqual([sum.count, sum.percentileNs(50), sum.meanNs], [6e9, 1000, 1000]);
});

test("histograms of a client are packed, added and reset together, the rare one too", () => {
  const { histograms } = clientSnapshot();
  const more = { ...histograms, reconnect: histogramOfMs(1, 2, 3) };
  const sum = emptyHistograms();
  addPackedHistograms(sum, packHistograms(histograms));
  assert.equal(sum.reconnect, undefined);
  addPackedHistograms(sum, packHistograms(more));
  addHistograms(sum, more);
  assertSame(sum.reconnect!, histogramOfMs(1, 2, 3, 1, 2, 3));
  assert.equal(sum.response.count, 3 * histograms.response.count);
  assert.equal(sum.connect.maxNs, histograms.connect.maxNs);
  resetHistograms(sum);
  assert.ok(Object.values(sum).every((histogram) => histogram.count === 0));
});
