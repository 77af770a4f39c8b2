import { test } from "bun:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as hdr from "hdr-histogram-js";
import { type ExitCode, FileError, HoldfastError, UsageError } from "../../lib/errors.ts";
import type { ReportSettings } from "../../lib/results/options.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import { indexOf } from "../../lib/stats/histogram_layout.ts";
import type { ClientHistograms, ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { parseSnapshot } from "../../lib/stats/snapshot_json.ts";
import { allAnswered, runClient } from "../cli/client_process.ts";
import { ChildServer } from "../server/running_server.ts";
import {
  clientSnapshot,
  evenHistogram,
  messages,
  rampReport,
  serverCounts,
  serverSnapshot,
} from "../stats/sample_snapshots.ts";
import { ResultDirectory } from "./result_directory.ts";

/** The sample run, on a host of its own. */
function onHost(host: string, changes: Partial<ClientSnapshot> = {}): ClientSnapshot {
  const snapshot = clientSnapshot(changes);
  return { ...snapshot, run: { ...snapshot.run, host } };
}

function clientOf(json: string): ClientSnapshot {
  const snapshot = parseSnapshot(json);
  assert.ok(snapshot.role === "client");
  return snapshot;
}

/** Latencies over six orders of magnitude, which a seeded generator gives. */
function* latencies(count: number): Generator<number> {
  let state = 12_345;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield Math.floor(10 ** (3 + 6 * (state / 2 ** 32)));
  }
}

const kinds = ["response", "service", "connect", "scheduleError", "lateness"] as const;

function emptyHistograms(): ClientHistograms {
  const all = Object.fromEntries(kinds.map((kind) => [kind, new Histogram()]));
  return all as unknown as ClientHistograms;
}

test("report adds histograms as if one process had recorded them all", async () => {
  using directory = new ResultDirectory();
  const [whole, ...parts] = Array.from({ length: 4 }, emptyHistograms);
  let index = 0;
  for (const ns of latencies(60_000)) {
    const kind = kinds[index % kinds.length]!;
    whole![kind].record(ns);
    parts[Math.floor(index / kinds.length) % 3]![kind].record(ns);
    index++;
  }
  const files = parts.map((histograms, part) =>
    directory.write(`${part}.json`, onHost(`host-${part}`, { histograms }))
  );
  const combined = clientOf((await directory.report(files, { format: "json" })).text);
  for (const kind of kinds) {
    const [sum, expected] = [combined.histograms[kind], whole![kind]];
    assert.equal(sum.encode(), expected.encode(), kind);
    assert.deepEqual([sum.count, sum.minNs, sum.maxNs], [
      ...[expected.count, expected.minNs, expected.maxNs],
    ]);
    assert.ok(Math.abs(sum.meanNs - expected.meanNs) < 1e-6 * expected.meanNs);
    for (const percentile of [1, 50, 90, 99, 99.9, 99.999]) {
      assert.equal(sum.percentileNs(percentile), expected.percentileNs(percentile));
    }
  }

  const log = (await directory.report(files, { format: "hdr" })).text;
  const reader = new hdr.HistogramLogReader(log, 64);
  const found: hdr.Histogram[] = [];
  for (let next = reader.nextIntervalHistogram(); next; next = reader.nextIntervalHistogram()) {
    found.push(next);
  }
  assert.deepEqual(found.map(({ tag }) => tag), kinds);
  for (const histogram of found) {
    const expected = whole![histogram.tag as typeof kinds[number]];
    assert.equal(histogram.totalCount, expected.count);
    assert.equal(histogram.startTimeStampMsec, Date.parse(combined.run.startedAt));
    assert.equal(histogram.endTimeStampMsec - histogram.startTimeStampMsec, combined.elapsedMs);
    for (const percentile of [50, 99, 99.9, 100]) {
      assert.equal(
        indexOf(histogram.getValueAtPercentile(percentile)),
        indexOf(expected.percentileNs(percentile)),
      );
    }
  }
});

test("report adds counts, and keeps what all runs have in common", async () => {
  using directory = new ResultDirectory();
  const run = { ...clientSnapshot().run, labels: { site: "a", what: "nightly" } };
  const files = [
    directory.write("a.json", { ...onHost("a"), run: { ...run, host: "a" } }),
    directory.write("b.json", {
      ...onHost("b", { steady: messages(1_000_000), requestedRate: 20_000 }),
      run: {
        ...run,
        host: "b",
        startedAt: "2026-03-01T11:59:59.000Z",
        labels: { site: "b", what: "nightly" },
        settings: { rate: "20000", connections: "5000" },
      },
    }),
  ];
  const { exitCode, text } = await directory.report(files, { format: "json" });
  assert.equal(exitCode, 0);
  const combined = clientOf(text);
  assert.equal(combined.connections.opened, 10_000);
  assert.equal(combined.steady.sent, 4_000_000);
  assert.equal(combined.requestedRate, 70_000);
  assert.equal(combined.verdict?.kind, "ok");
  assert.deepEqual(combined.run, {
    ...run,
    host: "a, b",
    startedAt: "2026-03-01T11:59:59.000Z",
    labels: { what: "nightly" },
    settings: { connections: "5000" },
  });

  const summary = (await directory.report(files)).text;
  assert.match(summary, /^host +opened +connects +messages +p50 +p99 +max +verdict$/m);
  assert.match(summary, /^a +5,000 +500\/s +50,000\/s .* ok$/m);
  assert.match(summary, /^connections +10,000 +10,000 +100 %/m);
  assert.match(summary, /^verdict +ok$/m);

  // What was added once can be added again.
  const third = directory.write("c.json", onHost("c"));
  const again = directory.write("ab.json", text);
  const all = clientOf((await directory.report([again, third], { format: "json" })).text);
  assert.equal(all.connections.opened, 15_000);
  assert.equal(all.histograms.response.count, 30_000);
});

test("report of one file is its result", async () => {
  using directory = new ResultDirectory();
  const file = directory.write("a.json", onHost("a"));
  const { text } = await directory.report([file], { format: "json" });
  const [combined, own] = [clientOf(text), clientOf(readFileSync(file, "utf8"))];
  assert.deepEqual(combined.steady, own.steady);
  assert.equal(combined.histograms.response.encode(), own.histograms.response.encode());
  assert.deepEqual(combined.verdict, own.verdict);
  const summary = (await directory.report([file])).text;
  assert.match(summary, /^holdfast client tcp:\/\/10\.0\.0\.5:4242$/m);
  assert.doesNotMatch(summary, /^host +opened/m);
});

test("report with an expectation judges the sum", async () => {
  using directory = new ResultDirectory();
  const slow = { ...clientSnapshot().histograms, response: evenHistogram(100_000, 1, 40) };
  const files = [
    directory.write("fast.json", onHost("fast")),
    directory.write("slow.json", onHost("slow", { histograms: slow })),
  ];
  const failed = await directory.report(files, {
    expectations: ["response.p50<10ms", "connections.opened==10000"],
  });
  assert.equal(failed.exitCode, 1, failed.text);
  assert.match(failed.text, /FAIL +response\.p50<10ms +18\.\d ms/);
  assert.match(failed.text, /pass +connections\.opened==10000/);
  const passed = await directory.report(files, { expectations: ["response.p99<41ms"] });
  assert.equal(passed.exitCode, 0, passed.text);
  await assert.rejects(directory.report(files, { expectations: ["response.p98765<1ms"] }));
});

test("report is no better than its worst part, and names it", async () => {
  using directory = new ResultDirectory();
  const fine = directory.write("fine.json", onHost("fine"));
  const late = "The generator was late.";
  const parts: [Partial<ClientSnapshot>, ExitCode, RegExp][] = [
    [
      { verdict: { kind: "invalid", reasons: [late], expectations: [] } },
      ...[3, /^verdict +INVALID.*\n +- weak: The generator was late\.$/m] as const,
    ],
    [
      { verdict: { kind: "expectation-failed", reasons: ["1 of 1"], expectations: [] } },
      ...[1, /^verdict +EXPECTATION FAILED\n +- weak: 1 of 1$/m] as const,
    ],
    [{ interrupted: true }, 0, /^verdict +ok\n +- weak: interrupted after 75\.3 s\.$/m],
    [
      {
        verdict: { kind: "stopped-by-limit", reasons: ["Nobody came."], expectations: [] },
        connections: {
          ...clientSnapshot().connections,
          ...{ opened: 0, open: 0, failed: 5000 },
          failures: [{ kind: "refused", count: 5000, firstAtMs: 1, firstDetail: "ECONNREFUSED" }],
        },
      },
      ...[4, /^verdict +STOPPED BY LIMIT\n +- weak: Nobody came\.$/m] as const,
    ],
    // A run that was still going on has no verdict of its own.
    [
      {
        verdict: undefined,
        histograms: { ...clientSnapshot().histograms, lateness: evenHistogram(1000, 50, 90) },
      },
      ...[3, /^ +- weak: The generator was late: it picked 1 %/m] as const,
    ],
  ];
  for (const [changes, exitCode, expected] of parts) {
    const weak = onHost("weak", changes);
    const settings = { ...weak.run.settings, "max-schedule-error": "10ms" };
    const file = directory.write("weak.json", { ...weak, run: { ...weak.run, settings } });
    const report = await directory.report([fine, file]);
    assert.match(report.text, expected);
    assert.equal(report.exitCode, exitCode, report.text);
  }
});

test("report tells runs of one host apart by their processes", async () => {
  using directory = new ResultDirectory();
  const files = [1, 2].map((pid) => {
    const snapshot = onHost("box", {
      verdict: { kind: "invalid", reasons: ["Too late."], expectations: [] },
    });
    return directory.write(`${pid}.json`, { ...snapshot, run: { ...snapshot.run, pid } });
  });
  const { text } = await directory.report(files);
  assert.match(text, /^box\/1 /m);
  assert.match(text, /- box\/2: Too late\./);
});

test("report of ramps goes by their own verdicts, and keeps that of a single one", async () => {
  using directory = new ResultDirectory();
  const ramp: Partial<ClientSnapshot> = {
    ramp: rampReport(),
    verdict: { kind: "stopped-by-limit", reasons: ["The ports are used up."], expectations: [] },
    connections: {
      ...clientSnapshot().connections,
      failures: [{ kind: "host-ports", count: 9, firstAtMs: 1, firstDetail: "EADDRNOTAVAIL" }],
    },
  };
  const files = ["a", "b"].map((host) => directory.write(`${host}.json`, onHost(host, ramp)));
  const single = await directory.report([files[0]!], { format: "json" });
  assert.equal(single.exitCode, 0);
  assert.deepEqual(clientOf(single.text).ramp, clientOf(readFileSync(files[0]!, "utf8")).ramp);
  assert.deepEqual(clientOf(single.text).verdict, ramp.verdict);
  const both = await directory.report(files, { expectations: ["connections.opened>20000"] });
  assert.equal(both.exitCode, 1, both.text);
  assert.match(both.text, /^verdict +STOPPED BY LIMIT\n +- a: The ports are used up\.$/m);
  assert.match(both.text, /FAIL +connections\.opened>20000/);
});

test("report of runs that were not at the same time is invalid", async () => {
  using directory = new ResultDirectory();
  const later = onHost("later");
  const files = [
    directory.write("a.json", onHost("earlier")),
    directory.write("b.json", {
      ...later,
      run: { ...later.run, startedAt: "2026-03-01T12:02:00.000Z" },
    }),
  ];
  const { exitCode, text } = await directory.report(files);
  assert.equal(exitCode, 3);
  assert.match(text, /earlier was over 44\.8 s before later began/);
});

test("report adds the counts of servers", async () => {
  using directory = new ResultDirectory();
  const b = serverSnapshot({
    endpoints: [{ endpoint: "tcp://[::]:4242", counts: serverCounts({ open: 5, accepted: 7 }) }],
    total: serverCounts({ open: 5, accepted: 7 }),
  });
  const files = [
    directory.write("a.json", serverSnapshot()),
    directory.write("b.json", { ...b, run: { ...b.run, host: "b" } }),
  ];
  const { exitCode, text } = await directory.report(files);
  assert.equal(exitCode, 0);
  assert.match(text, /^b +65\.2 s +5 +7 +0$/m);
  assert.match(text, /^total +1,005 +1,210 /m);
  const combined = parseSnapshot((await directory.report(files, { format: "json" })).text);
  assert.ok(combined.role === "server");
  assert.equal(combined.total.open, 1_005);
});

test("report refuses what cannot be added, in one line with the file's name", async () => {
  using directory = new ResultDirectory();
  const good = directory.write("good.json", onHost("good"));
  const whole = readFileSync(good, "utf8");
  const other = (name: string, changes: Partial<ClientSnapshot>) =>
    directory.write(`${name}.json`, onHost(name, changes));
  const refused: [string[], RegExp, (typeof FileError | typeof UsageError)?, object?][] = [
    [[directory.path("missing.json")], /missing\.json: ENOENT/],
    [[directory.path(".")], /: EISDIR/],
    [[directory.write("empty.json", "")], /empty\.json: the snapshot is not JSON/],
    [[directory.write("cut.json", whole.slice(0, 2000))], /cut\.json: the snapshot is not JSON/],
    [[directory.write("list.json", "[]")], /list\.json: the snapshot is \[\]; an object/],
    [
      [directory.write("schema.json", whole.replace(/"schemaVersion":\d+/, '"schemaVersion":99'))],
      /schema\.json: the snapshot has the schema version 99; this is version \d+/,
    ],
    [
      [good, directory.write("summary.json", onHost("summary"), { encoded: false })],
      /summary\.json: .* no field "encoded": it is a summary.*\/stats\?encoded=1/,
    ],
    [
      [directory.write("broken.json", whole.replace(/"encoded":"HISTF/, '"encoded":"XXXXX'))],
      /broken\.json: /,
    ],
    [[], /^report takes the --json files of at least one run/, UsageError],
    [
      [good, good],
      /good\.json and .*good\.json are results of the same run \(on good at/,
      UsageError,
    ],
    [
      [good, directory.write("server.json", serverSnapshot())],
      ...[/server\.json cannot be added: the role of the first is client/, UsageError] as const,
    ],
    [
      [good, other("endpoint", { endpoint: "tcp://10.0.0.6:4242" })],
      ...[
        /endpoint\.json .* the endpoint of the first is tcp:\/\/10\.0\.0\.5:4242, /,
        UsageError,
      ] as const,
    ],
    [
      [good, other("codec", { codec: "dns" })],
      ...[
        /codec\.json .*: the codec of the first is echo, that of the second dns/,
        UsageError,
      ] as const,
    ],
    [[good, other("size", { messageBytes: 65 })], /message size .* 64 B, .* 65 B/, UsageError],
    [[good, other("load", { arrivals: "inflight" })], /arrival process .* inflight/, UsageError],
    [
      [directory.path("server.json")],
      ...[/--format hdr is about results of clients; .*server\.json is/, UsageError] as const,
      { format: "hdr" },
    ],
    [
      [directory.path("server.json")],
      ...[/--expect is about results of clients/, UsageError] as const,
      { expectations: ["lost==0"] },
    ],
  ];
  for (const [files, why, kind = FileError, settings = {}] of refused) {
    const report = directory.report(files, settings as Partial<ReportSettings>);
    await assert.rejects(report, (error) => {
      assert.ok(error instanceof HoldfastError && error instanceof kind, String(error));
      assert.match(error.message, why);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    });
  }
});

test("report writes to the file of --output", async () => {
  using directory = new ResultDirectory();
  const file = directory.write("a.json", onHost("a"));
  const outputFile = directory.path("all.json");
  const { text } = await directory.report([file], { format: "json", outputFile });
  assert.equal(text, "");
  assert.equal(clientOf(readFileSync(outputFile, "utf8")).run.host, "a");
  await assert.rejects(
    directory.report([file], { outputFile: directory.path("no/where") }),
    FileError,
  );
});

test("report adds runs of real clients", async () => {
  using directory = new ResultDirectory();
  await using server = await ChildServer.start(["tcp://127.0.0.1:0"]);
  const target = `tcp://127.0.0.1:${server.portOf("tcp")}`;
  const load = ["-c", "10", "-r", "500", "-t", "500ms", "--verify", "--max-schedule-error", "1m"];
  const snapshots = await Promise.all(
    [1, 2, 3].map(async () => allAnswered(await runClient([target, ...load]))),
  );
  const files = snapshots.map((snapshot, i) => directory.write(`${i}.json`, snapshot));
  const { text } = await directory.report(files, { format: "json" });
  const combined = clientOf(text);
  const total = (of: (snapshot: ClientSnapshot) => number) =>
    snapshots.reduce((sum, snapshot) => sum + of(snapshot), 0);
  assert.equal(combined.connections.open, 30);
  assert.equal(combined.messages.answered, total(({ messages }) => messages.answered));
  assert.equal(combined.histograms.response.count, total(({ steady }) => steady.answered));
  assert.equal((await server.snapshot()).total.accepted, 30);
}, 60_000);
