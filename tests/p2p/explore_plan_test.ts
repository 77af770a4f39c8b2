import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import { explorePlan, throughputOf } from "../../lib/p2p/explore_plan.ts";

const everything = { minThroughputBytesPerSecond: 0, minMessageBytes: 0 };
const defaults = { minThroughputBytesPerSecond: 102400, minMessageBytes: 1024 };

const pairs = (plan: ReturnType<typeof explorePlan>) =>
  plan.map(({ messageBytes, heartbeatMs }) => [messageBytes, heartbeatMs]);

test("explorePlan() makes 208 combinations without a filter", () => {
  const plan = explorePlan(everything);
  assert.equal(plan.length, 208);
  assert.deepEqual(pairs(plan)[0], [1024, 1000]);
});

test("explorePlan() keeps 169 combinations with the defaults, in a pinned order", () => {
  const plan = pairs(explorePlan(defaults));
  assert.equal(plan.length, 169);
  assert.deepEqual(plan.slice(0, 4), [[1024, 10], [2048, 20], [4096, 40], [16384, 150]]);
  assert.deepEqual(plan.at(-1), [4194304, 1]);
});

test("explorePlan() sorts by throughput and keeps equal ones in order", () => {
  const plan = explorePlan(everything);
  for (const [index, combination] of plan.entries()) {
    const next = plan[index + 1];
    if (next === undefined) continue;
    assert.ok(throughputOf(combination) <= throughputOf(next));
    if (throughputOf(combination) === throughputOf(next)) {
      assert.ok(combination.messageBytes < next.messageBytes);
    }
  }
});

test("explorePlan() leaves out what a protocol cannot carry", () => {
  const plan = explorePlan(everything, 2 ** 20);
  assert.equal(plan.length, 11 * 16);
  assert.equal(Math.max(...plan.map(({ messageBytes }) => messageBytes)), 2 ** 20);
});

test("explorePlan() refuses filters that leave nothing", () => {
  assert.throws(
    () => explorePlan({ ...defaults, minMessageBytes: 2 ** 22 + 1 }),
    (error) => error instanceof UsageError && /nothing to try/.test(error.message),
  );
  assert.throws(() => explorePlan({ ...defaults, minThroughputBytesPerSecond: 4.2e9 }), UsageError);
});
