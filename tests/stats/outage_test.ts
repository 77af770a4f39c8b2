import { test } from "bun:test";
import assert from "node:assert/strict";
import { evaluate, parseExpectation } from "../../lib/stats/expectations.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import { mergeClientSnapshots } from "../../lib/stats/merge.ts";
import { mergeOutages, type Outage } from "../../lib/stats/outage.ts";
import { parseSnapshot, snapshotToJson } from "../../lib/stats/snapshot_json.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { judge } from "../../lib/stats/verdict.ts";
import { clientSnapshot, evenHistogram } from "./sample_snapshots.ts";

function outage(changes: Partial<Outage> = {}): Outage {
  return {
    beganMs: 1000,
    connections: 100,
    down: 0,
    lostAgain: 0,
    failedAttempts: 5,
    back50Ms: 400,
    back99Ms: 700,
    backAllMs: 800,
    longestGapMs: 790,
    lost: 3,
    unsent: 20,
    duplicated: 0,
    late: 1,
    before: { a: 60, b: 40 },
    after: { a: 100 },
    isOver: true,
    ...changes,
  };
}

const report = (...list: Outage[]) => ({ total: list.length, list });

test("mergeOutages() makes one of those that overlap, and adds", () => {
  const merged = mergeOutages([
    report(outage(), outage({ beganMs: 9000 })),
    report(outage({
      beganMs: 900,
      connections: 300,
      back50Ms: 200,
      back99Ms: 1000,
      backAllMs: 1500,
      longestGapMs: 1400,
      before: { a: 0, b: 300 },
      after: { a: 299, c: 1 },
      lostAgain: 2,
      duplicated: 4,
    })),
  ]);
  assert.equal(merged.total, 2);
  assert.deepEqual(merged.list[0], {
    beganMs: 900,
    connections: 400,
    down: 0,
    lostAgain: 2,
    failedAttempts: 10,
    // 150 at 1100, 50 more at 1400.
    back50Ms: 500,
    // 297 at 1900, and the whole other hundred at 1800.
    back99Ms: 1000,
    backAllMs: 1500,
    longestGapMs: 1400,
    lost: 6,
    unsent: 40,
    duplicated: 4,
    late: 2,
    before: { a: 60, b: 340 },
    after: { a: 399, c: 1 },
    isOver: true,
  });
  assert.deepEqual(merged.list[1], outage({ beganMs: 9000 }));
});

test("mergeOutages() goes on with an outage that a client is still in", () => {
  const lasting = outage({ down: 7, back99Ms: NaN, backAllMs: NaN, isOver: false });
  const merged = mergeOutages([report(lasting), report(outage({ beganMs: 60_000 }))]);
  assert.equal(merged.total, 1);
  const [only] = merged.list;
  assert.deepEqual([only!.connections, only!.down, only!.isOver], [200, 7, false]);
  assert.ok(Number.isNaN(only!.backAllMs) && Number.isNaN(only!.back99Ms));
  assert.equal(only!.back50Ms, 60_400 - 1000);
});

test("mergeOutages() counts those that are listed no more, and keeps its own list bounded", () => {
  const many = Array.from({ length: 90 }, (_, i) => outage({ beganMs: i * 10_000 }));
  const others = many.map((each) => ({ ...each, beganMs: each.beganMs + 5000 }));
  const merged = mergeOutages([{ total: 95, list: many }, { total: 90, list: others }]);
  assert.deepEqual([merged.total, merged.list.length], [185, 100]);
  const times = merged.list.map(({ beganMs }) => beganMs);
  assert.deepEqual(times, times.toSorted((a, b) => a - b));
});

function withOutages(list: Outage[], changes: Partial<ClientSnapshot> = {}): ClientSnapshot {
  const sample = clientSnapshot();
  return {
    ...sample,
    outages: report(...list),
    servers: { a: 4000, b: 1000 },
    connections: { ...sample.connections, opened: 5100, reopened: 100, recycled: 40 },
    histograms: { ...sample.histograms, reconnect: evenHistogram(140, 1, 9) },
    ...changes,
  };
}

test("a snapshot with outages can be written, read and merged", () => {
  const lasting = outage({ beganMs: 5000, down: 1, backAllMs: NaN, isOver: false });
  const snapshot = withOutages([outage(), lasting]);
  const text = JSON.stringify(snapshotToJson(snapshot, { encoded: true }));
  const read = parseSnapshot(text) as ClientSnapshot;
  assert.deepEqual(read.outages, snapshot.outages);
  assert.deepEqual(read.servers, snapshot.servers);
  assert.deepEqual(read.connections, snapshot.connections);
  assert.equal(read.histograms.reconnect?.count, 140);
  // Where there is nothing of it, there are no such fields.
  const plain = JSON.stringify(snapshotToJson(clientSnapshot(), { encoded: true }));
  assert.doesNotMatch(plain, /outages|servers|reopened|recycled|"reconnect"/);
  const parsed = parseSnapshot(plain) as ClientSnapshot;
  assert.ok(!("outages" in parsed) && !("servers" in parsed));

  const merged = mergeClientSnapshots([read, snapshot, parsed]);
  assert.equal(merged.outages?.total, 2);
  assert.deepEqual(merged.servers, { a: 8000, b: 2000 });
  assert.deepEqual([merged.connections.reopened, merged.connections.recycled], [200, 80]);
  assert.equal(merged.histograms.reconnect?.count, 280);
  assert.equal(merged.connections.opened, 15_200);
  // The rate is that of first opens.
  const rate = merged.connections.achievedPerSecond;
  assert.ok(Math.abs(rate - 3 * parsed.connections.achievedPerSecond) < 0.01 * rate, String(rate));
  const without = mergeClientSnapshots([parsed, clientSnapshot()]);
  assert.ok(!("outages" in without) && !("reconnect" in without.histograms));
});

test("expectations judge the worst outage, and fail where there is nothing to judge", () => {
  const check = (expectation: string, snapshot: ClientSnapshot) => {
    const { passed, measured } = evaluate(parseExpectation(expectation), snapshot);
    return `${passed ? "pass" : "fail"} ${measured}`;
  };
  const two = withOutages([outage(), outage({ beganMs: 9000, back99Ms: 1500, connections: 250 })]);
  assert.equal(check("outage.back99<2s", two), "pass 1.50 s");
  assert.equal(check("outage.back99<1s", two), "fail 1.50 s");
  assert.equal(check("outage.back100<=800ms", two), "pass 800 ms");
  assert.equal(check("outages==2", two), "pass 2");
  assert.equal(check("outage.connections<=5%", two), "pass 5.0 % (250)");
  assert.equal(check("outage.lost==6", two), "pass 6");
  assert.equal(check("outage.gap<1s", two), "pass 790 ms");
  assert.equal(check("reconnect.max<10ms", two), "pass 9.00 ms");
  assert.equal(check("connections.recycled>=40", two), "pass 40");
  const lasting = withOutages([outage(), outage({ back99Ms: NaN, isOver: false, down: 9 })]);
  assert.match(
    check("outage.back99<2s", lasting),
    /^fail no data: .*not all connections came back/,
  );
  assert.match(check("outage.back99<2s", withOutages([])), /^fail no data: there was no outage/);
  assert.equal(check("outages==0", withOutages([])), "pass 0");
  assert.match(check("outages==0", clientSnapshot()), /^fail no data: .*--reconnect/);
  assert.match(check("reconnect.p99<1s", clientSnapshot()), /^fail no data/);
});

test("judge() tells of outages, which are a result", () => {
  const settings = { expectations: [], maxLatenessP99Ns: 1e9 };
  const { kind, reasons } = judge(withOutages([outage()]), settings);
  assert.equal(kind, "ok");
  assert.deepEqual(reasons, [
    "There was an outage: up to 100 connections were down, one for 0.790 s; all came back.",
  ]);
  const more = judge(withOutages([outage(), outage({ down: 3 })]), settings).reasons;
  assert.match(more[0]!, /^There were 2 outages: .*; 3 were still down at the end\.$/);
  assert.deepEqual(judge(withOutages([]), settings).reasons, []);
  // Without any connection in the end the run has come to nothing.
  const { connections } = withOutages([]);
  const gone = withOutages([outage({ down: 100 })], {
    connections: {
      ...connections,
      open: 0,
      failed: 300,
      lost: 5000,
      failures: [{ kind: "refused", count: 300, firstAtMs: 1, firstDetail: "ECONNREFUSED" }],
    },
    histograms: { ...clientSnapshot().histograms, reconnect: new Histogram() },
  });
  const stopped = judge(gone, settings);
  assert.equal(stopped.kind, "stopped-by-limit");
  assert.match(
    stopped.reasons[0]!,
    /^No connection is open at the end: 300 attempts failed, and 5,000 /,
  );
});
