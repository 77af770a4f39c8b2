import { test } from "bun:test";
import assert from "node:assert/strict";
import { mergeClientSnapshots, mergeServerSnapshots } from "../../lib/stats/merge.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import {
  clientSnapshot,
  evenHistogram,
  messages,
  serverCounts,
  serverSnapshot,
} from "./sample_snapshots.ts";

function withRefusals(count: number, firstAtMs: number): Partial<ClientSnapshot> {
  return {
    connections: {
      ...clientSnapshot().connections,
      failed: count,
      failures: [{ kind: "refused", count, firstAtMs, firstDetail: `at ${firstAtMs}` }],
    },
  };
}

test("mergeClientSnapshots() adds counts and histograms and computes rates again", () => {
  const left = clientSnapshot({
    ...withRefusals(3, 900),
    answerStatuses: { NOERROR: 10, SERVFAIL: 1 },
    anomalies: { duplicated: 1, late: 0, reordered: 0, corrupted: 0, unknown: 4 },
  });
  const right = clientSnapshot({
    ...withRefusals(4, 100),
    answerStatuses: { NOERROR: 5, NXDOMAIN: 2 },
    steady: messages(1_500_000, {
      due: 1_500_010,
      answered: 1_499_993,
      lost: { timeout: 7, closed: 0, corrupted: 0, unanswered: 0 },
      unsent: { noConnection: 0, heldBack: 0, generatorLate: 10 },
    }),
    achievedRate: 25_000,
    histograms: { ...clientSnapshot().histograms, response: evenHistogram(500, 90, 100) },
    phase: "drain",
    elapsedMs: 76_000,
  });
  const merged = mergeClientSnapshots([left, right]);
  assert.equal(merged.phase, "drain");
  assert.equal(merged.elapsedMs, 76_000);
  assert.equal(merged.steady.sent, 4_500_000);
  assert.equal(merged.steady.lost.timeout, 7);
  assert.equal(merged.steady.unsent.generatorLate, 10);
  assert.equal(merged.achievedRate, 75_000);
  assert.equal(merged.requestedRate, 100_000);
  assert.equal(merged.anomalies.unknown, 4);
  assert.deepEqual(merged.answerStatuses, { NOERROR: 15, SERVFAIL: 1, NXDOMAIN: 2 });
  assert.deepEqual(merged.connections.failures, [
    { kind: "refused", count: 7, firstAtMs: 100, firstDetail: "at 100" },
  ]);
  assert.equal(merged.connections.opened, 10_000);
  assert.ok(Math.abs(merged.connections.achievedPerSecond - 2 * 499.9) < 1e-6);
  assert.equal(merged.generator.openFds, 2 * 5_021);
  assert.ok(Math.abs(merged.generator.steadyCpuShare - 0.9) < 1e-9);
  const { response } = merged.histograms;
  assert.equal(response.count, 10_500);
  assert.equal(response.maxNs, 100e6);
  // Not an average of percentiles: one percentile of all values together.
  const both = left.histograms.response.copy();
  both.add(right.histograms.response);
  assert.equal(response.percentileNs(99), both.percentileNs(99));
  assert.equal(merged.verdict, undefined);
});

test("mergeClientSnapshots() takes the time of the slowest for the connect rate", () => {
  const opening = (opened: number, achievedPerSecond: number) =>
    clientSnapshot({
      connections: { ...clientSnapshot().connections, opened, achievedPerSecond },
    });
  const merged = mergeClientSnapshots([opening(1_000, 1_000), opening(1_000, 100), opening(0, 0)]);
  assert.equal(merged.connections.achievedPerSecond, 200);
});

test("mergeClientSnapshots() leaves its arguments as they are", () => {
  const one = clientSnapshot();
  const count = one.histograms.response.count;
  mergeClientSnapshots([one, one, one]);
  assert.equal(one.histograms.response.count, count);
  assert.throws(() => mergeClientSnapshots([]), RangeError);
});

test("mergeServerSnapshots() adds endpoints of the same name", () => {
  const other = serverSnapshot({
    endpoints: [
      { endpoint: "tcp://[::]:4242", counts: serverCounts({ accepted: 7, refused: { tls: 2 } }) },
      { endpoint: "ws://[::]:8080", counts: serverCounts({ accepted: 1 }) },
    ],
    total: serverCounts({ accepted: 8, refused: { tls: 2 } }),
  });
  const merged = mergeServerSnapshots([serverSnapshot(), other]);
  assert.deepEqual(merged.endpoints.map(({ endpoint, counts }) => [endpoint, counts.accepted]), [
    ["tcp://[::]:4242", 1_210],
    ["udp://[::]:4242", 0],
    ["ws://[::]:8080", 1],
  ]);
  assert.equal(merged.total.accepted, 1_211);
  assert.deepEqual(merged.total.refused, { "max-connections": 12, tls: 2 });
  assert.equal(merged.total.failures[0]?.count, 3);
});

test("mergeClientSnapshots() does not add waits, and lists the workers of all", () => {
  const waiting = (steadyCpuWaitShare: number, ...workers: number[]) => {
    const one = clientSnapshot({
      generator: { ...clientSnapshot().generator, steadyCpuWaitShare },
    });
    if (workers.length === 0) return one;
    return {
      ...one,
      workers: workers.map((number) => ({
        number,
        pid: 100 + number,
        open: 5,
        cpuSeconds: 1,
        rssBytes: 1,
        openFds: 1,
        ends: [],
      })),
    };
  };
  const merged = mergeClientSnapshots([waiting(0.2, 1), waiting(NaN, 1, 2), waiting(0.5)]);
  assert.equal(merged.generator.steadyCpuWaitShare, 0.5);
  assert.deepEqual(merged.workers!.map(({ number }) => number), [1, 1, 2]);
  assert.equal(mergeClientSnapshots([waiting(0.1), waiting(0.3)]).workers, undefined);
});

test("mergeClientSnapshots() takes the time to the last open for the connect rate", () => {
  const opening = (opened: number, openingMs: number) =>
    clientSnapshot({
      connections: { ...clientSnapshot().connections, opened, openingMs, achievedPerSecond: 7 },
    });
  const merged = mergeClientSnapshots([opening(500, 900), opening(500, 1000), opening(0, 0)]);
  assert.deepEqual([merged.connections.achievedPerSecond, merged.connections.openingMs], [
    1000,
    1000,
  ]);
});
