import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  driftPerSecond,
  type OffsetEstimate,
  OffsetEstimator,
} from "../../../lib/p2p/clock/offset_estimator.ts";

const epochNs = 1_790_000_000_000_000_000n;

/** Numbers between 0 and 1 that are the same in every run (xorshift32). */
function fractions(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/** Two clocks over true time; the peer's is ahead by an offset that changes with its drift. */
class World {
  trueNs = 0;
  #offsetNs: number;
  readonly #driftPerSecond: number;

  constructor(offsetNs: number, drift = 0) {
    this.#offsetNs = offsetNs;
    this.#driftPerSecond = drift;
  }

  get offsetNs() {
    return this.#offsetNs + this.trueNs * this.#driftPerSecond;
  }

  step(byNs: number) {
    this.#offsetNs += byNs;
  }

  #ours() {
    return epochNs + BigInt(Math.round(this.trueNs));
  }

  #theirs() {
    return epochNs + BigInt(Math.round(this.trueNs + this.offsetNs));
  }

  /** An exchange with these times there, at the peer, and back. */
  exchange(estimator: OffsetEstimator, thereNs: number, atPeerNs: number, backNs: number) {
    const t1 = this.#ours();
    this.trueNs += thereNs;
    const t2 = this.#theirs();
    this.trueNs += atPeerNs;
    const t3 = this.#theirs();
    this.trueNs += backNs;
    return estimator.add(t1, t2, t3, this.#ours(), this.trueNs);
  }
}

/** The estimate must contain the truth; a nanosecond for the timestamps' own rounding. */
function contains(estimate: OffsetEstimate | undefined, trueNs: number, what: string) {
  assert.ok(estimate !== undefined, what);
  const errorNs = Math.abs(estimate.offsetNs - trueNs);
  assert.ok(
    errorNs <= estimate.boundNs + 1,
    `${what}: ${estimate.offsetNs} ± ${estimate.boundNs}, in truth ${trueNs}`,
  );
}

test("OffsetEstimator computes offset and bound of pinned timestamps", () => {
  const estimator = new OffsetEstimator();
  assert.equal(estimator.at(0), undefined);
  // Peer 3 s ahead; 1 ms there, 0.5 ms at the peer, 2 ms back.
  assert.ok(
    estimator.add(
      epochNs,
      epochNs + 3_001_000_000n,
      epochNs + 3_001_500_000n,
      epochNs + 3_500_000n,
      0,
    ),
  );
  assert.deepEqual(estimator.at(0), { offsetNs: 2_999_500_000, boundNs: 1_500_000 });
  assert.deepEqual(estimator.at(1e9), {
    offsetNs: 2_999_500_000,
    boundNs: 1_500_000 + 1e9 * driftPerSecond,
  });
});

test("OffsetEstimator contains the true offset for any delays, also if all are one-sided", () => {
  const random = fractions(4_242);
  for (const offsetNs of [0, 3e9, -50e6, 86_400e9, -1]) {
    for (const shape of ["equal", "there", "back", "any", "busy"]) {
      const world = new World(offsetNs);
      const estimator = new OffsetEstimator();
      for (let i = 0; i < 200; i++) {
        const totalNs = 20e3 + (random() < 0.1 ? 50e6 : 1e6) * random();
        const share = { equal: 0.5, there: 1, back: 0, any: random(), busy: random() }[shape] ?? 0;
        const atPeerNs = shape === "busy" ? 30e6 * random() : 5_000;
        world.exchange(estimator, totalNs * share, atPeerNs, totalNs * (1 - share));
        contains(estimator.at(world.trueNs), world.offsetNs, `${offsetNs} ${shape} ${i}`);
        world.trueNs += 1e9 * random();
        contains(estimator.at(world.trueNs), world.offsetNs, `${offsetNs} ${shape} after ${i}`);
      }
    }
  }
});

test("OffsetEstimator contains the true offset while the clocks drift apart", () => {
  const random = fractions(99);
  for (const drift of [driftPerSecond * 0.99, -driftPerSecond * 0.99, 20e-6]) {
    const world = new World(-7e6, drift);
    const estimator = new OffsetEstimator();
    for (let i = 0; i < 300; i++) {
      world.exchange(estimator, 1e6 * random(), 1e4, 1e6 * random());
      world.trueNs += 2e9 * random();
      contains(estimator.at(world.trueNs), world.offsetNs, `drift ${drift}, exchange ${i}`);
    }
    // Without an exchange for an hour: worth little, but still true.
    world.trueNs += 3_600e9;
    contains(estimator.at(world.trueNs), world.offsetNs, `drift ${drift} after an hour`);
  }
});

test("OffsetEstimator keeps the exchange with the smallest round trip until it has aged", () => {
  const world = new World(1e6);
  const estimator = new OffsetEstimator();
  world.exchange(estimator, 10e3, 0, 10e3);
  const boundOf = () => estimator.at(world.trueNs)?.boundNs ?? NaN;
  assert.equal(boundOf(), 10e3);
  for (let i = 0; i < 20; i++) {
    world.trueNs += 1e9;
    world.exchange(estimator, 5e6, 0, 5e6);
  }
  // 20.2 s of drift on the good one are less than half of 10 ms.
  assert.ok(Math.abs(boundOf() - (10e3 + 20.2e9 * driftPerSecond)) < 1);
  world.trueNs += 1e9;
  world.exchange(estimator, 100e3, 0, 100e3);
  assert.equal(boundOf(), 100e3);
});

test("OffsetEstimator forgets what a step of a clock made untrue", () => {
  const world = new World(0);
  const estimator = new OffsetEstimator();
  for (let i = 0; i < 10; i++) {
    world.exchange(estimator, 50e3, 0, 50e3);
    world.trueNs += 1e9;
  }
  world.step(-3e9);
  world.exchange(estimator, 4e6, 0, 1e6);
  contains(estimator.at(world.trueNs), world.offsetNs, "after the step");
  assert.equal(estimator.at(world.trueNs)?.boundNs, 2.5e6);
});

test("OffsetEstimator refuses exchanges during which a clock was set back", () => {
  const estimator = new OffsetEstimator();
  assert.equal(estimator.add(10n, 20n, 19n, 30n, 0), false);
  assert.equal(estimator.add(10n, 20n, 21n, 9n, 0), false);
  assert.equal(estimator.add(10n, 20n, 30n, 15n, 0), false);
  assert.equal(estimator.at(0), undefined);
});
