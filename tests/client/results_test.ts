import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as hdr from "hdr-histogram-js";
import type { ClientSettings } from "../../lib/client/options.ts";
import { FileError } from "../../lib/errors.ts";
import { indexOf } from "../../lib/stats/histogram_layout.ts";
import type { ClientHistograms, ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { allAnswered } from "../cli/client_process.ts";
import { ChildServer } from "../server/running_server.ts";
import { answersOf, csvHeader, type CsvRow, messagesOf, readCsv } from "./csv_rows.ts";
import { LocalClient, runHere } from "./local_client.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-results-"));
const server = await ChildServer.start(["tcp://127.0.0.1:0", "udp://127.0.0.1:0"]);
afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true });
});

const tcp = `tcp://127.0.0.1:${server.portOf("tcp")}`;
const udp = `udp://127.0.0.1:${server.portOf("udp")}`;

const loads: Record<string, Partial<ClientSettings>> = {
  poisson: { ratePerSecond: 2000 },
  uniform: { ratePerSecond: 2000, arrivals: "uniform" },
  interval: { intervalMs: 20 },
  inflight: { inflight: 3 },
};

/** Every answer belongs to a message that is open, and comes as long after it as it says. */
function assertMatched(rows: readonly CsvRow[]): void {
  const open = new Map<string, number>();
  for (const { type, connection, query, atUs, rttUs } of rows) {
    const key = `${connection}/${query}`;
    const sentUs = open.get(key);
    if (type === "Q") {
      assert.equal(sentUs, undefined, `${key} is sent twice`);
      open.set(key, atUs);
    } else {
      assert.ok(sentUs !== undefined, `${key} is answered twice, or was never sent`);
      open.delete(key);
      // Whole microseconds, and timestamps of which a number holds 0.25 µs.
      assert.ok(Math.abs(atUs - sentUs - rttUs) < 2, `${atUs - sentUs}, ${rttUs} µs`);
    }
  }
}

for (const [kind, load] of Object.entries(loads)) {
  test(`--csv has a row for each message and each answer: ${kind}`, async () => {
    const csvFile = join(directory, `${kind}.csv`);
    const startedUs = Date.now() * 1e3;
    const { messages } = allAnswered(
      await runHere(tcp, { ...load, connections: 5, durationMs: 400, warmupMs: 100, csvFile }),
    );
    const endedUs = Date.now() * 1e3;
    const rows = readCsv(readFileSync(csvFile, "utf8"));
    // The whole run, warm-up included.
    const queries = messagesOf(rows);
    assert.equal(queries.length, messages.sent);
    assert.equal(answersOf(rows).length, messages.answered);
    assertMatched(rows);
    for (const { connection, atUs } of rows) {
      assert.ok(connection < 5, `connection ${connection}`);
      assert.ok(atUs > startedUs - 5e3 && atUs < endedUs + 5e3, "the wall clock of the run");
    }
    assert.equal(new Set(queries.map(({ connection }) => connection)).size, 5);

    // The first one counts from the start of the plan.
    const intervals = queries.map(({ intervalUs }) => intervalUs).slice(1);
    const meanUs = intervals.reduce((sum, us) => sum + us, 0) / intervals.length;
    if (kind === "poisson") {
      // Exponential gaps: their standard deviation equals their mean.
      assert.ok(Math.abs(meanUs - 500) < 5 * 500 / Math.sqrt(intervals.length), `${meanUs} µs`);
      assert.ok(new Set(intervals).size > intervals.length / 4);
    }
    if (kind === "uniform") {
      assert.ok(intervals.every((us) => us === 500));
    }
    if (kind === "interval") assert.ok(intervals.every((us) => us === 20_000));
    if (kind === "inflight") assert.ok(intervals.every(Number.isNaN));
  }, 30_000);
}

test("--csv holds messages that were lost as sent, not as answered", async () => {
  // Nothing is lost on loopback unless somebody loses it: this server answers every second one.
  let count = 0;
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    socket: {
      data(socket, bytes, port, address) {
        if (count++ % 2 === 0) socket.send(bytes, port, address);
      },
    },
  });
  const csvFile = join(directory, "lost.csv");
  const { snapshot } = await runHere(`udp://127.0.0.1:${socket.port}`, {
    ratePerSecond: 500,
    durationMs: 400,
    timeoutMs: 1000,
    csvFile,
  });
  socket.close();
  const { sent, answered, lost } = snapshot!.messages;
  assert.ok(lost.timeout > 0 && lost.timeout === sent - answered);
  const rows = readCsv(readFileSync(csvFile, "utf8"));
  assert.deepEqual([messagesOf(rows).length, answersOf(rows).length], [sent, answered]);
  assertMatched(rows);
}, 30_000);

test("--csv - puts rows on stdout and everything else on stderr", async () => {
  const client = new LocalClient(udp, { ratePerSecond: 500, durationMs: 500, csvFile: "-" });
  const { exitCode, snapshot } = await client.ended;
  assert.ok(exitCode === 0 || exitCode === 3);
  const rows = readCsv(client.outLines.join(""));
  assert.equal(messagesOf(rows).length, snapshot!.messages.sent);
  assert.equal(answersOf(rows).length, snapshot!.messages.answered);
  const notes = client.noteLines.join("\n");
  assert.match(notes, /^holdfast client udp:/);
  assert.match(notes, /^verdict /m);
  assert.doesNotMatch(notes, /^[QA],/m);
}, 30_000);

test("--csv has its header even where no message was sent", async () => {
  const csvFile = join(directory, "none.csv");
  const { exitCode } = await runHere("tcp://127.0.0.1:1", { ratePerSecond: 500, csvFile });
  assert.equal(exitCode, 4);
  assert.equal(readFileSync(csvFile, "utf8"), `${csvHeader}\n`);
});

/** Adds up what an HdrHistogram log holds, by tag, with the library that others read it with. */
function readHdrLog(text: string): Map<string, hdr.Histogram> {
  const reader = new hdr.HistogramLogReader(text, 64);
  const totals = new Map<string, hdr.Histogram>();
  let endedMs = 0;
  for (let next = reader.nextIntervalHistogram(); next; next = reader.nextIntervalHistogram()) {
    assert.ok(next.startTimeStampMsec >= endedMs - 5000, "intervals come in order");
    endedMs = next.endTimeStampMsec;
    const total = totals.get(next.tag);
    if (total === undefined) totals.set(next.tag, next);
    else total.add(next);
  }
  return totals;
}

test("--hdr is a log that HdrHistogram reads, and holds what the summary holds", async () => {
  const hdrFile = join(directory, "run.hdr");
  const snapshot = allAnswered(
    await runHere(tcp, {
      ratePerSecond: 1000,
      connections: 10,
      warmupMs: 500,
      durationMs: 1700,
      hdrFile,
      labels: [{ key: "site", value: "lab" }],
    }),
  );
  const text = readFileSync(hdrFile, "utf8");
  assert.match(text, /^#connections: 10$/m);
  assert.match(text, /^#label site=lab$/m);
  const startMs = Number(/^#\[StartTime: ([\d.]+) /m.exec(text)?.[1]) * 1000;
  assert.ok(Math.abs(startMs - Date.parse(snapshot.run.startedAt)) < 2);

  const totals = readHdrLog(text);
  const names = ["response", "service", "connect", "scheduleError", "lateness"] as const;
  assert.deepEqual([...totals.keys()].sort(), [...names].sort());
  assert.ok(text.match(/^Tag=response,/gm)!.length >= 2, "a line a second");
  for (const name of names) {
    const histogram = snapshot.histograms[name satisfies keyof ClientHistograms];
    const total = totals.get(name)!;
    assert.equal(total.totalCount, histogram.count, name);
    for (const percentile of [1, 50, 90, 99, 99.9, 100]) {
      const [read, kept] = [
        total.getValueAtPercentile(percentile),
        histogram.percentileNs(percentile),
      ];
      // The same bucket, of which the library gives the upper end.
      assert.ok(Math.abs(indexOf(read) - indexOf(kept)) <= 1, `${name} p${percentile}`);
    }
  }
  assert.equal(totals.get("response")!.totalCount, snapshot.steady.answered);
  assert.equal(totals.get("connect")!.totalCount, 10);
}, 30_000);

test("--json says what was asked for, and by whom", async () => {
  const { run, ...snapshot } = allAnswered(
    await runHere(tcp, {
      ratePerSecond: 500,
      durationMs: 300,
      sizeBytes: 100,
      arrivals: "uniform",
      labels: [{ key: "site", value: "lab" }, { key: "empty", value: "" }],
      expectations: ["lost==0", "response.p50 < 60s"],
    }),
  );
  assert.deepEqual(run.labels, { site: "lab", empty: "" });
  assert.equal(run.pid, process.pid);
  assert.ok(Math.abs(Date.parse(run.startedAt) - Date.now()) < 60_000);
  const { settings } = run;
  assert.equal(settings["rate"], "500/s");
  assert.equal(settings["duration"], "300ms");
  assert.equal(settings["size"], "100B");
  assert.equal(settings["arrivals"], "uniform");
  assert.equal(settings["expect"], "lost==0; response.p50 < 60s");
  assert.equal(settings["connections"], "1");
  assert.ok("json" in settings && "quiet" in settings);
  // What is off, or has no meaning here.
  for (const name of ["verify", "interval", "query", "seed"]) assert.ok(!(name in settings), name);

  const expected: Partial<ClientSnapshot> = {
    schemaVersion: 1,
    role: "client",
    endpoint: tcp,
    codec: "echo",
    messageBytes: 100,
    arrivals: "uniform",
    phase: "done",
    steadyPlannedMs: 300,
    interrupted: false,
  };
  for (const [key, value] of Object.entries(expected)) {
    assert.equal(snapshot[key as keyof typeof snapshot], value, key);
  }
  assert.equal(snapshot.histograms.response.count, 150 - snapshot.steady.unsent.generatorLate);
  assert.deepEqual(
    snapshot.verdict?.expectations.map(({ expectation, passed }) => [expectation, passed]),
    [["lost==0", true], ["response.p50 < 60s", true]],
  );
}, 30_000);

test(
  "run() prints a line a second and where its statistics are, or with --quiet neither",
  async () => {
    const settings = { ratePerSecond: 200, durationMs: 2300 };
    const [loud, quiet] = [
      new LocalClient(tcp, {
        ...settings,
        quiet: false,
        statsAddress: { host: "127.0.0.1", port: 0 },
      }),
      new LocalClient(tcp, { ...settings, statsAddress: { host: "127.0.0.1", port: 0 } }),
    ];
    await Promise.all([loud.ended, quiet.ended]);
    const [first, ...lines] = loud.noteLines;
    assert.match(first!, /^statistics on http:\/\/127\.0\.0\.1:\d+\/$/);
    assert.ok(lines.length >= 2, lines.join("\n"));
    for (const line of lines) assert.match(line, /^ +\d+ s (ramp|warmup|steady|drain) +1 open/);
    assert.match(lines[0]!, /\/s out .*\/s back .*p50 .*p99 /);
    assert.deepEqual(quiet.noteLines, []);
    // The summary is the same, and is the whole of stdout.
    for (const { outLines } of [loud, quiet]) {
      assert.equal(outLines[0], `holdfast client ${tcp}`);
      assert.equal(outLines.filter((line) => line.startsWith("verdict ")).length, 1);
    }
    assert.equal(loud.outLines.length, quiet.outLines.length);
  },
  30_000,
);

test("run() opens its files before it connects, and leaves them out if one cannot be", async () => {
  const csvFile = join(directory, "missing", "run.csv");
  const hdrFile = join(directory, "never.hdr");
  const before = (await server.snapshot()).total.accepted;
  await assert.rejects(runHere(tcp, { ratePerSecond: 5, csvFile, hdrFile }), FileError);
  assert.ok(!existsSync(hdrFile));
  assert.equal((await server.snapshot()).total.accepted, before);
});
