import { test } from "bun:test";
import assert from "node:assert/strict";
import { ConnectionPool } from "../../lib/load/connection_pool.ts";
import { LatencyRecorder } from "../../lib/load/latency_recorder.ts";
import type { OpenLoad } from "../../lib/load/load_settings.ts";
import { createMessageSource } from "../../lib/load/message_source.ts";
import { Schedule } from "../../lib/load/schedule.ts";
import { connectionsOf, dealt, type Share, wholeOf } from "../../lib/load/share.ts";
import { poisson, uniform } from "./load_run.ts";

/** The ways to divide a load; the last one is uneven. */
const divisions: readonly [connections: number, of: number][] = [[8, 1], [8, 4], [12, 3], [10, 4]];

function sharesOf(connections: number, of: number): Share[] {
  return Array.from({ length: of }, (_, index) => ({ index, of, connections }));
}

/** A pool in which every connection of the share is open. */
function poolOf(share: Share, connectsPerSecond = 1e9): ConnectionPool {
  const connections = connectionsOf(share);
  const pool: ConnectionPool = new ConnectionPool(
    { connections, connectsPerSecond, connectTimeoutNs: 1e15, share },
    { connect: (id) => pool.markOpen(id), terminate() {} },
    new LatencyRecorder(),
  );
  pool.start(0);
  return pool;
}

/** The messages of a share until `untilNs`, with the connection's number in the whole load. */
function planOf(load: OpenLoad, share: Share, untilNs: number, seed = 42) {
  const pool = poolOf(share);
  while (pool.attempted < connectionsOf(share)) pool.step(1e12);
  const source = createMessageSource(load, connectionsOf(share), seed, pool, share);
  const messages: { atNs: number; connection: number }[] = [];
  while (source.nextNs < untilNs) {
    const atNs = source.nextNs;
    messages.push({ atNs, connection: share.index + source.take() * share.of });
  }
  return { messages, expected: source.expectedCount(0, untilNs) };
}

const slopes = new Schedule([
  { durationNs: 1e9, startRatePerSecond: 100, slopePerSecond2: 0 },
  { durationNs: 1e9, startRatePerSecond: 100, slopePerSecond2: 300 },
  { durationNs: 0.5e9, startRatePerSecond: 0, slopePerSecond2: 0 },
  { durationNs: 1e9, startRatePerSecond: 400, slopePerSecond2: -400 },
]);

const loads: Record<string, OpenLoad> = {
  "a level rate": uniform(1000),
  "slopes": { kind: "uniform", schedule: slopes },
  "an interval": { kind: "interval", intervalMs: 50 },
};

for (const [name, load] of Object.entries(loads)) {
  test(`shares of ${name} put together are the plan of one generator`, () => {
    for (const [connections, of] of divisions) {
      const whole = planOf(load, wholeOf(connections), 4e9);
      const parts = sharesOf(connections, of).map((share) => planOf(load, share, 4e9));
      const union = parts.flatMap(({ messages }) => messages).sort((a, b) => a.atNs - b.atNs);
      assert.ok(union.length > 400, `${union.length}`);
      assert.deepEqual(union, whole.messages);
      const expected = parts.reduce((sum, part) => sum + part.expected, 0);
      assert.ok(Math.abs(expected - whole.expected) < 1e-6);
    }
  });
}

test("shares of a Poisson plan are Poisson processes of their own that add up to the rate", () => {
  const ratePerSecond = 20_000;
  for (const [connections, of] of divisions) {
    const shares = sharesOf(connections, of);
    const parts = shares.map((share) => planOf(poisson(ratePerSecond), share, 2e9).messages);
    for (const [index, messages] of parts.entries()) {
      const part = connectionsOf(shares[index]!) / connections;
      const mean = ratePerSecond * 2 * part;
      assert.ok(Math.abs(messages.length - mean) < 6 * Math.sqrt(mean), `${messages.length}`);
    }
    const union = parts.flat().sort((a, b) => a.atNs - b.atNs);
    const gaps = union.slice(1).map(({ atNs }, k) => atNs - union[k]!.atNs);
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length;
    // Exponential: the standard deviation equals the mean.
    assert.ok(Math.abs(mean * ratePerSecond / 1e9 - 1) < 0.03, `mean ${mean}`);
    assert.ok(Math.abs(Math.sqrt(variance) / mean - 1) < 0.05, `deviation ${variance}`);
    // Every connection gets as many as any other.
    for (let connection = 0; connection < connections; connection++) {
      const own = union.filter((message) => message.connection === connection).length;
      const due = union.length / connections;
      assert.ok(Math.abs(own - due) < 6 * Math.sqrt(due), `${own} of ${due}`);
    }
  }
});

test("the same seed gives each share the same plan, and no two the same", () => {
  const shares = sharesOf(10, 4);
  const plans = (seed: number) => shares.map((share) => planOf(poisson(5000), share, 1e9, seed));
  assert.deepEqual(plans(7), plans(7));
  const first = plans(7);
  const others = [...first.slice(1), ...plans(8)];
  const times = new Set(first[0]!.messages.map(({ atNs }) => atNs));
  for (const { messages } of others) {
    assert.ok(messages.filter(({ atNs }) => times.has(atNs)).length < 3);
  }
  // One generator alone has the plan that it always had.
  assert.deepEqual(
    planOf(poisson(5000), { index: 0, of: 1, connections: 10 }, 1e9),
    planOf(poisson(5000), wholeOf(10), 1e9),
  );
});

test("shares attempt their connections in turn, as one generator would", () => {
  for (const [connections, of] of divisions) {
    const attempts = sharesOf(connections, of).flatMap((share) => {
      const pool = poolOf(share, 100);
      const times: number[] = [];
      while (pool.nextAttemptNs < Infinity) {
        times.push(pool.nextAttemptNs);
        pool.step(pool.nextAttemptNs);
      }
      return times;
    });
    const planned = Array.from({ length: connections }, (_, k) => k * 1e7);
    assert.deepEqual(attempts.sort((a, b) => a - b), planned);
  }
});

test("connectionsOf() and dealt() give away everything, as evenly as can be", () => {
  for (const [connections, of] of divisions) {
    const parts = sharesOf(connections, of).map(connectionsOf);
    assert.equal(parts.reduce((sum, part) => sum + part), connections);
    assert.ok(Math.max(...parts) - Math.min(...parts) <= 1);
    assert.deepEqual(parts, parts.map((_, index) => dealt(connections, index, of)));
  }
});
