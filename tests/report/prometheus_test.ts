import { test } from "bun:test";
import assert from "node:assert/strict";
import { prometheusText } from "../../lib/report/prometheus.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import type { Snapshot } from "../../lib/stats/snapshot.ts";
import {
  clientSnapshot,
  rampReport,
  serverSnapshot,
  workerStates,
} from "../stats/sample_snapshots.ts";
import { testWith } from "../programs.ts";

/** Reads the text format strictly: every sample below the TYPE of its family, none twice. */
function samplesOf(snapshot: Snapshot): Map<string, number> {
  const text = prometheusText(snapshot);
  assert.ok(text.endsWith("\n"));
  const samples = new Map<string, number>();
  const families = new Set<string>();
  let [family, type] = ["", ""];
  for (const line of text.trimEnd().split("\n")) {
    const help = /^# HELP ([a-z_]+) \S.*$/.exec(line);
    const head = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (help !== null) {
      assert.ok(!families.has(help[1]!), `${help[1]} comes twice`);
      families.add(help[1]!);
      continue;
    }
    if (head !== null) {
      [family, type] = [head[1]!, head[2]!];
      assert.ok(families.has(family));
      if (type === "counter") assert.ok(family.endsWith("_total"), family);
      continue;
    }
    const sample =
      /^([a-z_]+)(\{[a-zA-Z0-9_]+="(?:[^"\\\n]|\\[\\"n])*"(?:,[a-zA-Z0-9_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? (NaN|[+-]Inf|-?[\d.]+(?:e[+-]?\d+)?)$/
        .exec(line);
    assert.ok(sample !== null, `no sample: ${line}`);
    const [, name = "", labels = "", value = ""] = sample;
    const expected = type === "histogram"
      ? [`${family}_bucket`, `${family}_sum`, `${family}_count`]
      : [family];
    assert.ok(expected.includes(name), `${name} in ${family}`);
    assert.ok(!samples.has(name + labels), `${name}${labels} comes twice`);
    samples.set(name + labels, Number(value));
  }
  return samples;
}

test("prometheusText() of a ramp tells of its knee, once there is one", () => {
  const ramp = rampReport();
  const samples = samplesOf(clientSnapshot({ ramp, overdue: [{ afterMs: 500, count: 7 }] }));
  assert.equal(samples.get("holdfast_client_ramp_is_broken"), 1);
  assert.equal(samples.get("holdfast_client_ramp_knee_connections"), 700);
  assert.equal(samples.get("holdfast_client_ramp_knee_seconds"), 1);
  assert.equal(samples.get('holdfast_client_ramp_limit{side="server",limit="refusals"}'), 1);
  assert.equal(samples.get('holdfast_client_messages_overdue{after_seconds="0.5"}'), 7);
  const unbroken = { ...ramp, knee: undefined, limit: undefined };
  const before = samplesOf(clientSnapshot({ ramp: unbroken }));
  assert.equal(before.get("holdfast_client_ramp_is_broken"), 0);
  assert.equal(before.get("holdfast_client_ramp_knee_connections"), undefined);
});

test("prometheusText() of a client holds the figures of the snapshot", () => {
  const snapshot = clientSnapshot({
    answerStatuses: { NOERROR: 12 },
    connections: {
      ...clientSnapshot().connections,
      failures: [{ kind: "refused", count: 3, firstAtMs: 1, firstDetail: "" }],
    },
  });
  const samples = samplesOf(snapshot);
  assert.equal(samples.get("holdfast_client_connections_open"), 5_000);
  assert.equal(samples.get("holdfast_client_messages_sent_total"), 3_250_000);
  assert.equal(samples.get('holdfast_client_messages_lost_total{reason="timeout"}'), 0);
  assert.equal(samples.get('holdfast_client_connection_failures_total{kind="refused"}'), 3);
  assert.equal(samples.get('holdfast_client_connection_failures_total{kind="reset"}'), 0);
  assert.equal(samples.get('holdfast_client_answer_statuses_total{status="NOERROR"}'), 12);
  assert.equal(samples.get('holdfast_client_phase{phase="done"}'), 1);
  assert.equal(samples.get("holdfast_client_elapsed_seconds"), 75.25);
  const { response } = snapshot.histograms;
  assert.equal(
    samples.get('holdfast_client_response_percentile_seconds{percentile="99"}'),
    response.percentileNs(99) / 1e9,
  );
  assert.equal(samples.get("holdfast_client_response_seconds_sum"), response.sumNs / 1e9);
  assert.equal(samples.get("holdfast_client_response_seconds_count"), 10_000);
});

test("prometheusText() has buckets that grow up to the count", () => {
  const { response } = clientSnapshot().histograms;
  const samples = samplesOf(clientSnapshot());
  const buckets = [...samples].filter(([name]) =>
    name.startsWith("holdfast_client_response_seconds_bucket")
  );
  assert.equal(buckets.length, 22);
  for (const [index, [name, count]] of buckets.entries()) {
    if (index > 0) assert.ok(count >= buckets[index - 1]![1]);
    const bound = /le="(.*)"/.exec(name)![1]!;
    if (bound === "+Inf") assert.equal(count, response.count);
    else assert.equal(count, response.countsAtOrBelow([Number(bound) * 1e9])[0]);
  }
  assert.match(buckets.at(-1)![0], /\+Inf/);
});

test("prometheusText() of a server has a sample for each endpoint", () => {
  const samples = samplesOf(serverSnapshot());
  const endpoint = 'endpoint="tcp://[::]:4242"';
  assert.equal(samples.get(`holdfast_server_connections_accepted_total{${endpoint}}`), 1_203);
  assert.equal(
    samples.get(`holdfast_server_connections_refused_total{${endpoint},reason="max-connections"}`),
    12,
  );
  assert.equal(samples.get('holdfast_server_received_bytes_total{endpoint="udp://[::]:4242"}'), 0);
  assert.equal(samples.get('holdfast_server_cpu_seconds_total{mode="system"}'), 9.75);
});

test("prometheusText() has a sample for each worker, where there are several", () => {
  const workers = workerStates();
  const samples = samplesOf(clientSnapshot({ workers }));
  assert.equal(samples.get('holdfast_client_worker_connections_open{worker="1"}'), 3_000);
  assert.equal(samples.get('holdfast_client_worker_ends_total{worker="2"}'), 1);
  const served = samplesOf(serverSnapshot({ workers }));
  assert.equal(served.get('holdfast_server_worker_cpu_seconds_total{worker="2"}'), 12.5);
  assert.ok(![...samplesOf(clientSnapshot()).keys()].some((name) => name.includes("_worker_")));
});

test("prometheusText() escapes what users wrote, and keeps names legal", () => {
  const { run, histograms } = clientSnapshot();
  const samples = samplesOf(clientSnapshot({
    run: { ...run, labels: { "git-commit": 'a"b\\c\nd', "git.commit": "twice", endpoint: "own" } },
    histograms: { ...histograms, response: new Histogram() },
  }));
  const info = [...samples.keys()].find((name) => name.startsWith("holdfast_client_info"))!;
  assert.match(info, /,label_git_commit="twice",label_endpoint="own"\}$/);
  assert.match(info, /endpoint="tcp:\/\/10\.0\.0\.5:4242"/);
  assert.ok(
    Number.isNaN(samples.get('holdfast_client_response_percentile_seconds{percentile="99"}')),
  );
  const escaped = samplesOf(clientSnapshot({ run: { ...run, labels: { a: 'a"b\\c\nd' } } }));
  assert.ok([...escaped.keys()].some((name) => name.includes('label_a="a\\"b\\\\c\\nd"')));
});

testWith(["promtool"])("promtool accepts the text", () => {
  for (
    const snapshot of [clientSnapshot(), serverSnapshot({ workers: workerStates() })]
  ) {
    const { exitCode, stderr, stdout } = Bun.spawnSync(["promtool", "check", "metrics"], {
      stdin: Buffer.from(prometheusText(snapshot)),
      timeout: 30_000,
    });
    assert.equal(exitCode, 0, `${stdout}${stderr}`);
  }
});
