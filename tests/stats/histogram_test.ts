import { test } from "bun:test";
import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import * as hdr from "hdr-histogram-js";
import { FileError } from "../../lib/errors.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import {
  countsLength,
  highestEquivalentNs,
  highestTrackableNs,
  indexOf,
  lowestEquivalentNs,
} from "../../lib/stats/histogram_layout.ts";
import { seededRandom } from "./seeded_random.ts";

const percentiles = [0, 0.1, 1, 10, 25, 50, 75, 90, 99, 99.9, 99.99, 99.999, 100];

/** Values of very different magnitudes, as whole nanoseconds. */
function sample(random: () => number, length: number): number[] {
  const magnitude = Math.floor(random() * 42);
  return Array.from({ length }, () => {
    const shift = random() < 0.3 ? Math.floor(random() * 42) : magnitude;
    return Math.min(Math.floor(random() * 2 ** shift), highestTrackableNs);
  });
}

/** The value of rank ceil(percentile × n), which is the definition that HdrHistogram uses. */
function exactPercentile(sorted: readonly number[], percentile: number): number {
  // In integers, so that the reference itself does not round.
  const rank = (BigInt(Math.round(percentile * 1e6)) * BigInt(sorted.length) + 99_999_999n) /
    100_000_000n;
  return sorted[Math.max(Number(rank), 1) - 1]!;
}

function sameBucket(actual: number, exact: number, what: string): void {
  assert.equal(indexOf(actual), indexOf(exact), `${what}: ${actual} instead of ${exact}`);
}

function uncompressed(encoded: string): string {
  return inflateSync(Buffer.from(encoded, "base64").subarray(8)).toString("hex");
}

test("indexOf() is the inverse of the bucket bounds, without gap or overlap", () => {
  for (let index = 0; index < countsLength; index++) {
    const lowest = lowestEquivalentNs(index);
    const highest = highestEquivalentNs(index);
    if (index > 0) assert.equal(lowest, highestEquivalentNs(index - 1) + 1);
    if (highest > highestTrackableNs) continue;
    assert.equal(indexOf(lowest), index);
    assert.equal(indexOf(highest), index);
    assert.ok(highest - lowest <= lowest / 1024, `bucket ${index} is too wide`);
  }
});

test("indexOf() has the layout of HdrHistogram", () => {
  const reference = new hdr.Float64Histogram(1, highestTrackableNs, 3);
  assert.equal(reference.countsArrayLength, countsLength);
  const random = seededRandom(7);
  for (const ns of [0, 1, 2047, 2048, 2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1, highestTrackableNs]) {
    assert.equal(indexOf(ns), reference.countsArrayIndex(ns));
  }
  for (const ns of sample(random, 20_000)) {
    assert.equal(indexOf(ns), reference.countsArrayIndex(ns), `${ns} ns`);
  }
});

test("percentileNs() agrees with a sorted array on random samples", () => {
  const random = seededRandom(1);
  for (let round = 0; round < 200; round++) {
    const values = sample(random, 1 + Math.floor(random() * 3_000));
    const histogram = new Histogram();
    for (const value of values) histogram.record(value);
    const sorted = values.toSorted((a, b) => a - b);
    assert.equal(histogram.count, values.length);
    assert.equal(histogram.minNs, sorted[0]);
    assert.equal(histogram.maxNs, sorted.at(-1));
    const sum = values.reduce((total, value) => total + BigInt(value), 0n);
    const mean = Number(sum) / values.length;
    assert.ok(Math.abs(histogram.meanNs - mean) <= mean * 1e-12);
    for (const percentile of percentiles) {
      const exact = exactPercentile(sorted, percentile);
      const actual = histogram.percentileNs(percentile);
      sameBucket(actual, exact, `p${percentile} of ${values.length}`);
      assert.ok(actual >= exact && actual <= histogram.maxNs);
    }
    assert.deepEqual(
      histogram.percentilesNs(percentiles),
      percentiles.map((percentile) => histogram.percentileNs(percentile)),
    );
    const bounds = [0, 5, 1e3, 1e6, 1e9, 1e12];
    assert.deepEqual(
      histogram.countsAtOrBelow(bounds),
      bounds.map((bound) => sorted.filter((value) => indexOf(value) <= indexOf(bound)).length),
    );
  }
});

test("percentileNs() does not skip a rank where doubles round up", () => {
  const histogram = new Histogram();
  for (let value = 1; value <= 1000; value++) histogram.record(value);
  assert.equal(histogram.percentileNs(99.9), 999);
  assert.equal(histogram.percentileNs(55), 550);
  assert.equal(histogram.percentileNs(0.1), 1);
});

test("record() takes fractions down and clamps what is out of range", () => {
  const histogram = new Histogram();
  histogram.record(-0.5);
  histogram.record(-7);
  histogram.record(1.999);
  histogram.record(3_000_000_000.7);
  histogram.record(highestTrackableNs);
  assert.equal(histogram.clamped, 0);
  histogram.record(highestTrackableNs + 1);
  histogram.record(Infinity);
  assert.equal(histogram.clamped, 2);
  assert.equal(histogram.count, 7);
  assert.equal(histogram.minNs, 0);
  assert.equal(histogram.maxNs, highestTrackableNs);
  assert.equal(histogram.sumNs, 1 + 3_000_000_000 + 3 * highestTrackableNs);
  assert.throws(() => histogram.record(NaN), RangeError);
});

test("an empty histogram has no values to tell", () => {
  const histogram = new Histogram();
  for (const figure of [histogram.minNs, histogram.maxNs, histogram.meanNs]) {
    assert.ok(Number.isNaN(figure));
  }
  assert.ok(Number.isNaN(histogram.percentileNs(50)));
  assert.deepEqual(histogram.countsAtOrBelow([1, 2]), [0, 0]);
  assert.equal(histogram.sumNs, 0);
});

test("recordMany() is that many times record()", () => {
  const [one, many] = [new Histogram(), new Histogram()];
  for (const value of [0, 17, 5_000, 2 ** 40]) {
    for (let i = 0; i < 5; i++) one.record(value);
    many.recordMany(value, 5);
  }
  many.recordMany(1, 0);
  assert.equal(many.encode(), one.encode());
  assert.equal(many.meanNs, one.meanNs);
  assert.throws(() => many.recordMany(1, -1), RangeError);
  assert.throws(() => many.recordMany(1, 0.5), RangeError);
});

test("add() gives what recording everything in one histogram gives", () => {
  const random = seededRandom(2);
  for (let round = 0; round < 50; round++) {
    const [left, right, both] = [new Histogram(), new Histogram(), new Histogram()];
    for (const value of sample(random, Math.floor(random() * 500))) {
      left.record(value);
      both.record(value);
    }
    for (const value of sample(random, Math.floor(random() * 500))) {
      right.record(value);
      both.record(value);
    }
    const copy = left.copy();
    copy.add(right);
    assert.equal(copy.encode(), both.encode());
    for (const key of ["count", "minNs", "maxNs", "sumNs", "clamped"] as const) {
      assert.equal(copy[key], both[key]);
    }
    if (right.count > 0 && left.count > 0) assert.notEqual(copy.count, left.count);
  }
});

test("since() gives what was recorded after the copy", () => {
  const random = seededRandom(6);
  for (let round = 0; round < 50; round++) {
    const [whole, later] = [new Histogram(), new Histogram()];
    for (const value of sample(random, Math.floor(random() * 300))) whole.record(value);
    const earlier = whole.copy();
    for (const value of sample(random, Math.floor(random() * 300))) {
      whole.record(value);
      later.record(value);
    }
    const since = whole.since(earlier);
    assert.equal(since.encode(), later.encode());
    assert.equal(since.count, later.count);
    if (later.count === 0) continue;
    sameBucket(since.minNs, later.minNs, "min");
    sameBucket(since.maxNs, later.maxNs, "max");
    assert.ok(Math.abs(since.meanNs - later.meanNs) <= 1 + whole.maxNs * 1e-9);
  }
});

test("reset() leaves nothing behind", () => {
  const random = seededRandom(3);
  const used = new Histogram();
  for (let round = 0; round < 20; round++) {
    const fresh = new Histogram();
    used.reset();
    for (const value of sample(random, 300)) {
      used.record(value);
      fresh.record(value);
    }
    assert.equal(used.encode(), fresh.encode());
    assert.equal(used.minNs, fresh.minNs);
  }
});

test("counts go past 32 bits without overflow", () => {
  const histogram = new Histogram();
  histogram.recordMany(1_000, 0xffff_fffe);
  histogram.record(1_000);
  histogram.record(1_000);
  histogram.record(9_000_000_000);
  assert.equal(histogram.count, 2 ** 32 + 1);
  assert.equal(histogram.countsAtOrBelow([1_000])[0], 2 ** 32);
  assert.equal(histogram.percentileNs(99.999), 1_000);
  const sum = new Histogram();
  sum.recordMany(1_000, 2 ** 31);
  sum.add(histogram);
  sum.add(histogram);
  assert.equal(sum.count, 2 ** 31 + 2 * (2 ** 32 + 1));
  assert.equal(Histogram.decode(sum.encode()).count, sum.count);
  const copy = sum.copy();
  sum.reset();
  sum.record(5);
  assert.equal(sum.count, 1);
  assert.equal(sum.percentileNs(50), 5);
  assert.equal(copy.countsAtOrBelow([1_000])[0], 2 ** 31 + 2 ** 33);
});

test("encode() is read back by hdr-histogram-js", () => {
  const random = seededRandom(4);
  for (let round = 0; round < 100; round++) {
    const histogram = new Histogram();
    for (const value of sample(random, Math.floor(random() * 400))) histogram.record(value);
    const theirs = hdr.decodeFromCompressedBase64(histogram.encode(), 64) as hdr.Float64Histogram;
    assert.equal(theirs.totalCount, histogram.count);
    assert.equal(theirs.highestTrackableValue, highestTrackableNs);
    if (histogram.count === 0) continue;
    for (const percentile of percentiles) {
      sameBucket(
        theirs.getValueAtPercentile(percentile),
        histogram.percentileNs(percentile),
        `p${percentile}`,
      );
    }
    const exact = new hdr.Float64Histogram(1, highestTrackableNs, 3);
    exact.add(theirs);
    const back = Histogram.decode(hdr.encodeIntoCompressedBase64(exact), histogram);
    assert.equal(back.encode(), histogram.encode());
  }
});

test("encode() writes zero runs of every length", () => {
  for (const first of [0, 1, 2, 3, 100]) {
    for (const gap of [1, 2, 3, 64, 65, 8_000]) {
      const histogram = new Histogram();
      histogram.record(lowestEquivalentNs(first));
      histogram.recordMany(lowestEquivalentNs(first + gap), 1_000_000);
      const back = Histogram.decode(histogram.encode());
      assert.equal(back.count, 1_000_001);
      assert.equal(indexOf(back.minNs), first);
      assert.equal(indexOf(back.maxNs), first + gap);
    }
  }
});

test("decode() reads a pinned encoding and restores exact figures", () => {
  const histogram = new Histogram();
  for (const value of [0, 1, 1, 12_345, 1_000_000, 1_000_001, 3_600_000_000_000]) {
    histogram.record(value);
  }
  const pinned = "HISTFAAAAC94nJNpmSzMwMDAwwABzFCakYGB2c1gxwIG+w8QASaWTg+mjWksl28zMQEAmUEH/Q==";
  // What is compressed is pinned; how well, is zlib's business.
  assert.equal(uncompressed(histogram.encode()), uncompressed(pinned));
  const back = Histogram.decode(pinned, histogram);
  assert.equal(back.count, 7);
  assert.equal(back.minNs, 0);
  assert.equal(back.maxNs, 3_600_000_000_000);
  assert.ok(Math.abs(back.meanNs - histogram.meanNs) < 1e-3);
  assert.equal(back.percentileNs(50), histogram.percentileNs(50));
  // An exact figure that cannot belong to these buckets is not believed.
  assert.equal(Histogram.decode(pinned, { minNs: 5, maxNs: 9, meanNs: -1, clamped: 0 }).minNs, 0);
});

test("decode() refuses what is no encoding or has another resolution", () => {
  const random = seededRandom(5);
  const good = new Histogram();
  good.recordMany(1_000, 3);
  const encoded = good.encode();
  const twoDigits = hdr.encodeIntoCompressedBase64(
    hdr.build({ bitBucketSize: 64, numberOfSignificantValueDigits: 2 }),
  );
  for (const text of ["", "x", "no histogram", "AAAA", encoded.slice(0, 20), twoDigits]) {
    assert.throws(() => Histogram.decode(text), FileError, text);
  }
  for (let round = 0; round < 300; round++) {
    const bytes = Uint8Array.from({ length: Math.floor(random() * 90) }, () => random() * 256);
    const cut = encoded.slice(0, Math.floor(random() * encoded.length));
    for (const text of [Buffer.from(bytes).toString("base64"), cut]) {
      try {
        Histogram.decode(text);
      } catch (error) {
        assert.ok(error instanceof FileError, `${text}: ${error}`);
      }
    }
  }
});
