import { test } from "bun:test";
import assert from "node:assert/strict";
import { ClientLine } from "../../lib/report/client_line.ts";
import { clientSummary } from "../../lib/report/client_summary.ts";
import { maxColumns } from "../../lib/report/columns.ts";
import { outageLines, outageNow, spreadText } from "../../lib/report/outage_lines.ts";
import { prometheusText } from "../../lib/report/prometheus.ts";
import type { Outage } from "../../lib/stats/outage.ts";
import { clientSnapshot, evenHistogram } from "../stats/sample_snapshots.ts";

function outage(changes: Partial<Outage> = {}): Outage {
  return {
    beganMs: 12_345.678,
    connections: 2500,
    down: 0,
    lostAgain: 0,
    failedAttempts: 0,
    back50Ms: 812.4,
    back99Ms: 1900.6,
    backAllMs: 2100,
    longestGapMs: 2099.9,
    lost: 31,
    unsent: 0,
    duplicated: 0,
    late: 0,
    before: { "10.0.0.5": 5000 },
    after: { "10.0.0.5": 5000 },
    isOver: true,
    ...changes,
  };
}

function assertLines(actual: readonly string[], expected: string): void {
  assert.equal(`\n${actual.join("\n")}\n`, expected);
  for (const line of actual) assert.ok(line.length <= maxColumns, line);
}

test("outageLines() has a row for each, and what it has no column for", () => {
  const lines = outageLines({
    total: 2,
    list: [
      outage(),
      outage({
        beganMs: 100_000,
        down: 7,
        back99Ms: NaN,
        backAllMs: NaN,
        unsent: 1200,
        late: 3,
        duplicated: 1,
        failedAttempts: 44,
        lostAgain: 2,
        isOver: false,
        before: { b: 2500, a: 2500 },
        after: { a: 4993, b: 0 },
      }),
    ],
  });
  assertLines(
    lines,
    `
outages          began  connections  half back  99 % back  all back  longest gap  lost
  1           12.346 s        2,500    0.812 s    1.901 s   2.100 s      2.100 s    31
  2          100.000 s        2,500    0.812 s          –         –      2.100 s    31
                  7 still down, 1,200 messages not sent, 3 late, 1 duplicated, 44 failed attempts, 2
                  lost again
                  before: a 2,500, b 2,500
                  after: a 4,993, b 0
`,
  );
  assert.deepEqual(outageLines(undefined), []);
  assert.deepEqual(outageLines({ total: 0, list: [] }), ["outages           none"]);
  const many = Array.from({ length: 25 }, (_, i) => outage({ beganMs: i * 5000 }));
  const shown = outageLines({ total: 25, list: many });
  assert.equal(shown.length, 12);
  assert.equal(shown.at(-1)!.trim(), "and 15 more");
  assert.equal(spreadText({}), "none");
});

test("ClientLine says while an outage lasts how many connections are down", () => {
  const lasting = outage({ down: 40, isOver: false, backAllMs: NaN });
  const line = (list: Outage[]) =>
    new ClientLine().next(
      clientSnapshot({ phase: "steady", elapsedMs: 13_000, outages: { total: 1, list } }),
      undefined,
    );
  assert.match(line([outage(), lasting]), / OUTAGE 40 of 2,500 down for 0\.654 s$/);
  assert.doesNotMatch(line([outage()]), /OUTAGE/);
  // Back, though not for long enough to be sure.
  assert.equal(outageNow({ total: 1, list: [outage({ isOver: false })] }, 20_000), "");
  assert.equal(outageNow(undefined, 1), "");
});

test("clientSummary() shows connections that were opened again, each counted once", () => {
  const sample = clientSnapshot();
  const text = clientSummary(clientSnapshot({
    connections: { ...sample.connections, opened: 7600, lost: 2500, reopened: 2600, recycled: 100 },
    histograms: { ...sample.histograms, reconnect: evenHistogram(2600, 1, 20) },
    outages: { total: 1, list: [outage()] },
    servers: { a: 3000, b: 2000 },
  })).join("\n");
  assert.match(text, /^connections +5,000 +5,000 +100 % +5,000 open, 2,500 lost, 100 recycled$/m);
  assert.match(text, /^ {2}opened again +1\.00 ms /m);
  assert.match(text, /^servers +a 3,000, b 2,000$/m);
  assert.match(text, /^outages +began +connections /m);
});

test("prometheusText() has the figures of the last outage and of the servers", () => {
  const sample = clientSnapshot();
  const snapshot = clientSnapshot({
    connections: { ...sample.connections, reopened: 2600, recycled: 100 },
    histograms: { ...sample.histograms, reconnect: evenHistogram(2600, 1, 20) },
    outages: { total: 3, list: [outage(), outage({ down: 7, backAllMs: NaN, isOver: false })] },
    servers: { 'a"1': 3000, b: 2000 },
  });
  const lines = prometheusText(snapshot).split("\n");
  const has = (line: string) => assert.ok(lines.includes(`holdfast_client_${line}`), line);
  has("connections_reopened_total 2600");
  has("connections_recycled_total 100");
  has('server_connections_open{server="a\\"1"} 3000');
  has("outages_total 3");
  has("connections_down 7");
  has("last_outage_began_seconds 12.345678");
  has('last_outage_back_seconds{percent="50"} 0.8124');
  has('last_outage_back_seconds{percent="100"} NaN');
  has("last_outage_connections 2500");
  has("reconnect_seconds_count 2600");
  assert.doesNotMatch(prometheusText(sample), /outage|reopened|recycled|server_connections/);
});
