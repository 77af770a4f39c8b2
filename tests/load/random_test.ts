import { test } from "bun:test";
import assert from "node:assert/strict";
import { Random } from "../../lib/load/random.ts";

/** Sum of (observed - expected)² / expected over equally likely classes. */
function chiSquare(counts: ArrayLike<number>, total: number): number {
  const expected = total / counts.length;
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += (counts[i]! - expected) ** 2 / expected;
  return sum;
}

/** chi² has mean k and variance 2k: within 5 standard deviations, on both sides. */
function assertChiSquare(counts: ArrayLike<number>, total: number): void {
  const freedom = counts.length - 1;
  const chi = chiSquare(counts, total);
  assert.ok(Math.abs(chi - freedom) < 5 * Math.sqrt(2 * freedom), `chi² ${chi} of ${freedom}`);
}

test("bits() is pinned: plans of earlier versions can be repeated", () => {
  const random = new Random(42);
  const first = Array.from({ length: 6 }, () => random.bits() >>> 0);
  assert.deepEqual(first, [3569536208, 2879541286, 1768279649, 711354134, 1980969610, 4163337524]);
  const zero = new Random(0);
  assert.deepEqual(Array.from({ length: 3 }, () => zero.bits() >>> 0), [
    3717780726,
    2919608142,
    3745158266,
  ]);
});

test("bits() follows sfc32: a b c counter as its author defines them", () => {
  // The reference, on unsigned arithmetic of BigInt, from the state that 42 leads to.
  const random = new Random(42);
  const state = random as unknown as Record<"a" | "b" | "c" | "counter", number>;
  const word = (value: number) => BigInt(value >>> 0);
  let [a, b, c, counter] = [word(state.a), word(state.b), word(state.c), word(state.counter)];
  const mask = 0xffffffffn;
  for (let i = 0; i < 1000; i++) {
    const expected = (a + b + counter) & mask;
    counter = (counter + 1n) & mask;
    a = b ^ (b >> 9n);
    b = (c + (c << 3n)) & mask;
    c = ((((c << 21n) | (c >> 11n)) & mask) + expected) & mask;
    assert.equal(BigInt(random.bits() >>> 0), expected);
  }
});

test("Random gives other numbers for each seed and each stream", () => {
  const seen = new Set<number>();
  const seeds = [0, 1, 2, 42, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40, 2 ** 53 - 1];
  for (const seed of seeds) {
    for (let stream = 0; stream < 100; stream++) {
      seen.add((new Random(seed, stream).bits() >>> 0) * 2 ** 20);
    }
  }
  // 1000 draws of 2^32: a collision has a chance of 1 in 8600.
  assert.equal(seen.size, 1000);
});

test("uniform() is evenly spread, with the mean and variance of its distribution", () => {
  const random = new Random(7);
  const n = 1_000_000;
  const counts = new Uint32Array(1000);
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < n; i++) {
    const u = random.uniform();
    assert.ok(u >= 0 && u < 1);
    counts[Math.floor(u * 1000)]!++;
    sum += u;
    squares += (u - 0.5) ** 2;
  }
  assertChiSquare(counts, n);
  assert.ok(Math.abs(sum / n - 0.5) < 5 * Math.sqrt(1 / 12 / n));
  assert.ok(Math.abs(squares / n - 1 / 12) < 5 * Math.sqrt(1 / 180 / n));
});

test("uniform() does not depend on the number before it", () => {
  const random = new Random(11);
  const n = 1_000_000;
  const pairs = new Uint32Array(32 * 32);
  let before = random.uniform();
  for (let i = 0; i < n; i++) {
    const u = random.uniform();
    pairs[Math.floor(before * 32) * 32 + Math.floor(u * 32)]!++;
    before = u;
  }
  assertChiSquare(pairs, n);
});

test("below() gives each integer equally often, for any n", () => {
  for (const n of [1, 2, 3, 7, 1000, 2001]) {
    const random = new Random(n);
    const counts = new Uint32Array(n);
    for (let i = 0; i < 300_000; i++) {
      const x = random.below(n);
      assert.ok(Number.isInteger(x) && x >= 0 && x < n);
      counts[x]!++;
    }
    if (n > 1) assertChiSquare(counts, 300_000);
    else assert.equal(counts[0], 300_000);
  }
});

test("below() stays inside for the largest n", () => {
  const random = new Random(3);
  for (const n of [2 ** 21, 2 ** 31 - 1, 2 ** 31]) {
    let most = 0;
    for (let i = 0; i < 100_000; i++) {
      const x = random.below(n);
      assert.ok(x >= 0 && x < n);
      most = Math.max(most, x);
    }
    assert.ok(most > n * 0.999);
  }
});

test("below() rejects what would make small values likelier", () => {
  // 3·2^29 leaves a remainder of a quarter: without rejection the thirds come 3:3:2.
  const random = new Random(5);
  const n = 3 * 2 ** 29;
  const counts = new Uint32Array(3);
  for (let i = 0; i < 300_000; i++) counts[random.below(n) % 3]!++;
  assertChiSquare(counts, 300_000);
});

test("exponential() has mean 1, variance 1 and the exponential's distribution", () => {
  const random = new Random(42);
  const n = 1_000_000;
  const counts = new Uint32Array(500);
  let sum = 0;
  let squares = 0;
  let longest = 0;
  for (let i = 0; i < n; i++) {
    const x = random.exponential();
    assert.ok(x >= 0 && x < 37);
    sum += x;
    squares += (x - 1) ** 2;
    longest = Math.max(longest, x);
    counts[Math.min(499, Math.floor((1 - Math.exp(-x)) * 500))]!++;
  }
  assert.ok(Math.abs(sum / n - 1) < 5 / Math.sqrt(n));
  assert.ok(Math.abs(squares / n - 1) < 5 * Math.sqrt(8 / n)); // fourth central moment 9
  assert.ok(longest > 10, "the tail is there");
  assertChiSquare(counts, n);
});
