import { test } from "bun:test";
import assert from "node:assert/strict";
import { Backoff } from "../../lib/load/backoff.ts";

const bounds = { firstMs: 50, lastMs: 5000 };

test("waitNs() lies between the first wait and a ceiling that doubles up to the last", () => {
  const backoff = new Backoff(bounds, 42);
  for (let tryNumber = 0; tryNumber < 300; tryNumber++) {
    const ceilingNs = Math.min(50e6 * 2 ** (tryNumber + 1), 5000e6);
    assert.equal(backoff.ceilingNs(tryNumber), ceilingNs);
    let least = Infinity;
    let most = 0;
    let sum = 0;
    for (let id = 0; id < 2000; id++) {
      const waitNs = backoff.waitNs(id, tryNumber);
      least = Math.min(least, waitNs);
      most = Math.max(most, waitNs);
      sum += waitNs;
    }
    assert.ok(least >= 50e6 && most <= ceilingNs);
    // Spread evenly: so do 2,000 draws, but for one case in a million.
    const span = ceilingNs - 50e6;
    assert.ok(least < 50e6 + 0.01 * span && most > ceilingNs - 0.01 * span, String(tryNumber));
    assert.ok(Math.abs(sum / 2000 - 50e6 - span / 2) < 5 * span / Math.sqrt(12 * 2000));
  }
});

test("waitNs() is a function of seed, connection and try, whatever was asked before", () => {
  const [a, b] = [new Backoff(bounds, 7), new Backoff(bounds, 7)];
  const ids = Array.from({ length: 500 }, (_, id) => id);
  const forwards = ids.map((id) => a.waitNs(id, id % 9));
  const backwards = ids.toReversed().map((id) => b.waitNs(id, id % 9)).toReversed();
  assert.deepEqual(forwards, backwards);
  const other = new Backoff(bounds, 8);
  assert.ok(ids.filter((id) => other.waitNs(id, id % 9) === forwards[id]).length < 5);
  // Neighbours, and tries of one connection, have nothing to do with each other.
  const shares = ids.map((id) => (a.waitNs(id, 20) - 50e6) / 4950e6);
  const between = shares.slice(1).map((share, i) => (share - 0.5) * (shares[i]! - 0.5));
  const correlation = between.reduce((sum, one) => sum + one, 0) / between.length * 12;
  assert.ok(Math.abs(correlation) < 0.25, String(correlation));
  assert.equal(new Set(ids.map((tryNumber) => a.waitNs(3, 100 + tryNumber))).size, 500);
});

test("the waits of a load are the same however many generators share it", () => {
  const whole = new Backoff(bounds, 1);
  for (const  of of[2, 3]) {
    for (let index = 0; index < of; index++) {
      const part = new Backoff(bounds, 1, { index, of });
      for (let id = 0; id < 50; id++) {
        assert.equal(part.waitNs(id, 4), whole.waitNs(index + id * of, 4));
      }
    }
  }
});
