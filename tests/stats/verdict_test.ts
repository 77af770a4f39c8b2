import { test } from "bun:test";
import assert from "node:assert/strict";
import { exitCodes } from "../../lib/errors.ts";
import { parseExpectation } from "../../lib/stats/expectations.ts";
import type { ClientSnapshot, ConnectionCounts, Verdict } from "../../lib/stats/snapshot.ts";
import { exitCodeOf, judge } from "../../lib/stats/verdict.ts";
import {
  clientSnapshot,
  evenHistogram,
  histogramOfMs,
  messages,
  workerStates,
} from "./sample_snapshots.ts";

function verdictOf(changes: Partial<ClientSnapshot>, expectations: string[] = []): Verdict {
  return judge(clientSnapshot(changes), {
    expectations: expectations.map(parseExpectation),
    maxLatenessP99Ns: 10e6,
  });
}

function connections(changes: Partial<ConnectionCounts>): Partial<ClientSnapshot> {
  return { connections: { ...clientSnapshot().connections, ...changes } };
}

test("judge() finds nothing wrong with a run that kept its plan", () => {
  assert.deepEqual(verdictOf({}), { kind: "ok", reasons: [], expectations: [] });
});

test("judge() calls a run invalid when the generator did not get to its messages", () => {
  const verdict = verdictOf({
    requestedRate: 50_000_000,
    achievedRate: 1_200_000,
    steady: messages(72_000_000, {
      due: 3_000_000_000,
      unsent: { noConnection: 0, heldBack: 0, generatorLate: 2_928_000_000 },
    }),
    generator: { ...clientSnapshot().generator, steadyCpuShare: 0.98 },
  }, ["response.p99<1us"]);
  assert.equal(verdict.kind, "invalid");
  assert.match(
    verdict.reasons[0]!,
    /50,000,000\/s requested, 1,200,000\/s achieved; .* 2,928,000,000 of 3,000,000,000 .*97\.6 %/,
  );
  assert.match(verdict.reasons[1]!, /used 0\.98 of a core: it had no time left/);
  // The expectation is still listed, but does not decide.
  assert.equal(verdict.expectations[0]?.passed, false);
});

test("judge() forgives what stays below the bound", () => {
  const steady = messages(2_980_000, {
    due: 3_000_000,
    unsent: { noConnection: 0, heldBack: 0, generatorLate: 20_000 },
  });
  assert.equal(verdictOf({ steady }).kind, "ok");
  const strict = { expectations: [], maxLatenessP99Ns: Infinity, minAchievedShare: 0.999 };
  assert.equal(judge(clientSnapshot({ steady }), strict).kind, "invalid");
});

test("judge() calls a run invalid when the generator was late", () => {
  const { histograms } = clientSnapshot();
  const late = { histograms: { ...histograms, lateness: evenHistogram(1_000, 0, 40) } };
  const verdict = verdictOf(late);
  assert.equal(verdict.kind, "invalid");
  assert.match(
    verdict.reasons[0]!,
    /1 % .* more than 39\.6 ms .*allowed: 10\.0 ms; worst: 40\.0 ms/,
  );
  const any = judge(clientSnapshot(late), { expectations: [], maxLatenessP99Ns: Infinity });
  assert.equal(any.kind, "ok");
});

test("judge() does not blame the generator for a target that held the sends back", () => {
  const { histograms, generator } = clientSnapshot();
  const verdict = verdictOf({
    achievedRate: 30_000,
    histograms: { ...histograms, scheduleError: evenHistogram(1_000, 0, 1_500) },
    generator: { ...generator, heldBackSends: 1_234 },
    steady: messages(1_800_000, {
      due: 3_000_000,
      unsent: { noConnection: 200_000, heldBack: 1_000_000, generatorLate: 0 },
    }),
  });
  assert.equal(verdict.kind, "ok");
  assert.match(
    verdict.reasons[0]!,
    /The target held sends back.*: 1,234 waited, 1,000,000 \(33\.3 % /,
  );
  assert.match(verdict.reasons[0]!, /schedule error p99 14\d\d ms|1\.4\d s/);
  assert.match(verdict.reasons[0]!, /own lateness is p99 9\d\.\d µs/);
  assert.match(verdict.reasons[1]!, /200,000 messages \(6\.7 % .* no connection was open/);
});

test("judge() calls a run invalid when this host ran out of something", () => {
  for (
    const [kind, remedy] of [
      ["host-fds", "ulimit -n"],
      ["host-ports", "ip_local_port_range"],
      ["host-memory", "tcp_mem"],
    ] as const
  ) {
    const verdict = verdictOf(connections({
      failed: 12,
      failures: [
        { kind: "refused", count: 3, firstAtMs: 5, firstDetail: "ECONNREFUSED" },
        { kind, count: 9, firstAtMs: 2_000, firstDetail: "EMFILE socket" },
      ],
    }));
    assert.equal(verdict.kind, "invalid");
    assert.equal(verdict.reasons.length, 1);
    assert.match(verdict.reasons[0]!, /9 connections, first after 2\.0 s \(EMFILE socket\)/);
    assert.ok(verdict.reasons[0]!.includes(remedy));
  }
});

test("judge() says what connections did not hold, where nothing else tells of them", () => {
  const lossy = connections({ requested: 40, attempted: 40, failed: 1, opened: 39, lost: 19 });
  const verdict = verdictOf(lossy);
  assert.equal(verdict.kind, "ok");
  assert.deepEqual(verdict.reasons, [
    "Of 40 connections, 1 could not be opened, and 19 ended before the run did.",
  ]);
  // Those were opened again: what it took is told as outages.
  assert.deepEqual(verdictOf({ ...lossy, outages: { total: 0, list: [] } }).reasons, []);
});

test("judge() blames the generator for a slow ramp only where the target cannot explain it", () => {
  // 5,000 at 500/s take 10 s; these took 25 s.
  const slow = { achievedPerSecond: 200 };
  const verdict = verdictOf(connections(slow));
  assert.equal(verdict.kind, "invalid");
  assert.match(
    verdict.reasons[0]!,
    /500\/s requested, 200\/s achieved; .* 25\.0 s instead of 10\.0 s/,
  );
  // A connect that took 20 s puts the last open off by as much.
  const slowTarget = {
    ...connections(slow),
    histograms: { ...clientSnapshot().histograms, connect: histogramOfMs(1, 20_000) },
  };
  assert.equal(verdictOf(slowTarget).kind, "ok");
  // Failures, losses and further attempts make the time to the last open prove nothing.
  for (const changes of [{ failed: 1 }, { lost: 1 }, { attempted: 5_001 }]) {
    assert.equal(verdictOf(connections({ ...slow, ...changes })).kind, "ok");
  }
  assert.equal(verdictOf(connections({ achievedPerSecond: 460 })).kind, "ok");
  assert.equal(verdictOf(connections({ requestedPerSecond: 0, achievedPerSecond: 1 })).kind, "ok");
  // Ten connections within 60 ms instead of 10 ms are no missed plan.
  assert.equal(
    verdictOf(connections({
      requested: 10,
      attempted: 10,
      opened: 10,
      requestedPerSecond: 1_000,
      achievedPerSecond: 166,
    })).kind,
    "ok",
  );
});

test("judge() fails on an expectation that was not met", () => {
  const verdict = verdictOf({}, ["response.p99<1ms", "lost==0"]);
  assert.equal(verdict.kind, "expectation-failed");
  assert.deepEqual(verdict.expectations.map(({ passed }) => passed), [false, true]);
  assert.deepEqual(verdict.reasons, ["1 of 2 expectations failed (response.p99<1ms: 2.48 ms)."]);
  assert.equal(verdictOf({}, ["response.p99<1s"]).kind, "ok");
});

test("judge() says of a closed loop that it is one, whatever the verdict", () => {
  for (const expectations of [[], ["response.p99<1ms"]]) {
    const verdict = verdictOf({ arrivals: "inflight" }, expectations);
    assert.match(verdict.reasons.at(-1)!, /closed loop.*leave out the waiting/);
  }
});

test("judge() calls a run invalid whose worker has ended, whatever else happened", () => {
  const workers = workerStates();
  const alone = verdictOf({ workers });
  assert.equal(alone.kind, "invalid");
  assert.deepEqual(alone.reasons, [
    "Worker 2 of 2 (pid 5002) ended after 3.2 s: SIGKILL; 2,000 open connections and 12 messages " +
    "in flight were lost with it.",
  ]);
  const none = connections({ open: 0, lost: 5_000 });
  assert.equal(verdictOf(none).kind, "stopped-by-limit");
  assert.equal(verdictOf({ ...none, workers }).kind, "invalid");
  assert.equal(verdictOf({ workers: workers.slice(0, 1) }).kind, "ok");
});

test("judge() looks at the busiest worker for the time that a late generator had left", () => {
  const [first, second] = workerStates().map((worker) => ({ ...worker, ends: [] }));
  const { histograms, generator } = clientSnapshot();
  const late = {
    histograms: { ...histograms, lateness: evenHistogram(1_000, 5, 50) },
    // Two halves of a core are no whole one.
    generator: { ...generator, steadyCpuShare: 1.15 },
  };
  assert.match(verdictOf(late).reasons.at(-1)!, /^The generator used 1.15 cores: it had no time/);
  assert.match(
    verdictOf({ ...late, workers: [first!, second!] }).reasons.at(-1)!,
    /^The busiest worker \(2 of 2\) used 0\.95 of a core: it had no time left\.$/,
  );
  assert.match(
    verdictOf({ ...late, workers: [first!, { ...first!, number: 2 }] }).reasons.at(-1)!,
    /^The busiest worker \(1 of 2\) used 0\.20 of a core: other processes/,
  );
});

test("exitCodeOf() maps verdicts, and an interruption before them", () => {
  const verdict = (kind: Verdict["kind"]): Verdict => ({ kind, reasons: [], expectations: [] });
  assert.equal(exitCodeOf(verdict("ok"), false), exitCodes.ok);
  assert.equal(exitCodeOf(verdict("stopped-by-limit"), false), exitCodes.ok);
  assert.equal(exitCodeOf(verdict("expectation-failed"), false), exitCodes.expectationFailed);
  assert.equal(exitCodeOf(verdict("invalid"), false), exitCodes.invalidRun);
  assert.equal(exitCodeOf(verdict("invalid"), true), exitCodes.interrupted);
  assert.equal(exitCodeOf(undefined, false), exitCodes.ok);
});
