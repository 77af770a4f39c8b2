import { test } from "bun:test";
import assert from "node:assert/strict";
import { clientSummary } from "../../lib/report/client_summary.ts";
import { maxColumns } from "../../lib/report/columns.ts";
import { parseExpectation } from "../../lib/stats/expectations.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import { judge } from "../../lib/stats/verdict.ts";
import {
  clientSnapshot,
  evenHistogram,
  histogramOfMs,
  messages,
  workerStates,
} from "../stats/sample_snapshots.ts";

function assertLines(actual: readonly string[], expected: string): void {
  // The template starts with a line break, so that it can be read as it prints.
  assert.equal(`\n${actual.join("\n")}\n`, expected);
  for (const line of actual) assert.ok(line.length <= maxColumns, line);
}

test("clientSummary() of a run in which all went well", () => {
  assertLines(
    clientSummary(clientSnapshot()),
    `
holdfast client tcp://10.0.0.5:4242
load              echo 64 B, open loop (poisson)
time              60.0 s measured of 75.3 s

                     requested      achieved
connections              5,000         5,000      100 %  5,000 open
connect rate             500/s         500/s    99.98 %
message rate          50,000/s      50,000/s      100 %

messages due         3,000,000
  sent               3,000,000       100 %  of those due
  answered           3,000,000       100 %  of those sent
  lost                       0         0 %

                         min       mean        p50        p90        p99      p99.9        max
response time        41.0 µs    1.27 ms    1.27 ms    2.25 ms    2.48 ms    2.50 ms    2.50 ms
service time         39.0 µs    1.22 ms    1.22 ms    2.16 ms    2.38 ms    2.40 ms    2.40 ms
schedule error       1.00 µs    50.5 µs    50.5 µs    90.1 µs    99.1 µs    99.9 µs     100 µs
  generator's own    1.00 µs    50.5 µs    50.5 µs    90.1 µs    99.1 µs    99.9 µs     100 µs
connect time          200 µs    1.60 ms    1.60 ms    2.72 ms    2.97 ms    3.00 ms    3.00 ms

traffic           3.20 MB/s sent, 3.20 MB/s received
anomalies         none
generator         27.4 s CPU (12.3 s user, 15.1 s system), steady 0.45 of a core, 84.3 MB RSS

verdict           ok
`,
  );
});

test("clientSummary() of a run in which much went wrong", () => {
  const good = clientSnapshot();
  const bad = clientSnapshot({
    run: { ...good.run, labels: { build: "a1b2c3", host: "x" } },
    codec: "dns",
    messageBytes: 31,
    interrupted: true,
    connections: {
      ...good.connections,
      opened: 4_937,
      open: 4_927,
      failed: 63,
      lost: 10,
      failures: [
        { kind: "refused", count: 50, firstAtMs: 900, firstDetail: "ECONNREFUSED connect ::1:1" },
        { kind: "host-fds", count: 13, firstAtMs: 9_000, firstDetail: "EMFILE socket" },
        { kind: "idle", count: 10, firstAtMs: 200_000, firstDetail: "idle" },
      ],
    },
    steady: messages(2_999_000, {
      due: 3_000_000_000,
      answered: 2_990_000,
      lost: { timeout: 1_500, closed: 300, corrupted: 200, unanswered: 7_000 },
      unsent: { noConnection: 1_000, heldBack: 20_000, generatorLate: 2_997_000_000 },
    }),
    anomalies: { duplicated: 3, late: 1, reordered: 300_000, corrupted: 200, unknown: 0 },
    answerStatuses: { SERVFAIL: 1_000, NOERROR: 2_989_000 },
    requestedRate: 50_000_000,
    achievedRate: 1_234_567.8,
    histograms: { ...good.histograms, lateness: evenHistogram(1_000, 1, 400) },
    generator: { ...good.generator, steadyCpuShare: 0.99, heldBackSends: 12 },
  });
  const verdict = judge(bad, {
    expectations: ["response.p99<1ms", "lost<1%"].map(parseExpectation),
    maxLatenessP99Ns: 10e6,
  });
  assertLines(
    clientSummary({ ...bad, verdict }),
    `
holdfast client tcp://10.0.0.5:4242
load              dns 31 B, open loop (poisson)
time              60.0 s measured of 75.3 s, interrupted
labels            build=a1b2c3, host=x

                     requested      achieved
connections              5,000         4,937     98.7 %  4,927 open, 63 failed, 10 lost
connect rate             500/s         500/s    99.98 %
message rate      50,000,000/s   1,234,568/s      2.5 %

messages due      3,000,000,000
  sent                2,999,000      0.10 %  of those due
  answered            2,990,000     99.70 %  of those sent
  lost                    9,000      0.30 %  1,500 timed out, 300 connection ended first, 200
                                             corrupted, 7,000 unanswered at the end
  not sent        2,997,021,000    99.901 %  1,000 no connection open, 20,000 held back by the
                                             target, 2,997,000,000 generator too late

                         min       mean        p50        p90        p99      p99.9        max
response time        41.0 µs    1.27 ms    1.27 ms    2.25 ms    2.48 ms    2.50 ms    2.50 ms
service time         39.0 µs    1.22 ms    1.22 ms    2.16 ms    2.38 ms    2.40 ms    2.40 ms
schedule error       1.00 µs    50.5 µs    50.5 µs    90.1 µs    99.1 µs    99.9 µs     100 µs
  generator's own    1.00 ms     200 ms     200 ms     360 ms     396 ms     400 ms     400 ms
connect time          200 µs    1.60 ms    1.60 ms    2.72 ms    2.97 ms    3.00 ms    3.00 ms

traffic           3.20 MB/s sent, 3.20 MB/s received
answers           NOERROR 2,989,000 (99.967 %), SERVFAIL 1,000 (0.033 %)
anomalies         3 duplicated, 1 late, 300,000 reordered, 200 corrupted
failures          50 refused, first after 0.9 s: ECONNREFUSED connect ::1:1
                  13 host-fds, first after 9.0 s: EMFILE socket
                  10 idle, first after 3 min 20 s
generator         27.4 s CPU (12.3 s user, 15.1 s system), steady 0.99 of a core, 84.3 MB RSS

expectations      FAIL  response.p99<1ms  2.48 ms
                  pass  lost<1%           0.30 % (9,000)

verdict           INVALID: the generator or its host, not the target, was the limit
                  - The generator did not keep its plan: 50,000,000/s requested, 1,234,568/s
                    achieved; it did not get to 2,997,000,000 of 3,000,000,000 messages (99.90 %).
                    Lower --rate, or use a faster host.
                  - The generator was late: it picked 1 % of the messages up more than 396 ms after
                    they were due (allowed: 10.0 ms; worst: 400 ms).
                  - The generator used 0.99 of a core: it had no time left.
                  - This host ran out of file descriptors for 13 connections, first after 9.0 s
                    (EMFILE socket); raise the limit (ulimit -n, or LimitNOFILE= of a service).
                  - 1 of 2 expectations failed (response.p99<1ms: 2.48 ms).
                  - The target held sends back by taking no more bytes: 12 waited, 20,000 (0.00067 %
                    of those due) were never sent; schedule error p99 99.1 µs, of which the
                    generator's own lateness is p99 396 ms.
                  - 1,000 messages (0.000033 % of those due) were not sent, because no connection
                    was open.
`,
  );
});

test("clientSummary() without messages shows connections only", () => {
  const { histograms } = clientSnapshot();
  assertLines(
    clientSummary(clientSnapshot({
      arrivals: "none",
      steady: messages(0),
      histograms: { ...histograms, connect: histogramOfMs(0.5, 1, 1.5) },
      verdict: undefined,
    })),
    `
holdfast client tcp://10.0.0.5:4242
load              no messages
time              75.3 s

                     requested      achieved
connections              5,000         5,000      100 %  5,000 open
connect rate             500/s         500/s    99.98 %

                        min       mean        p50        p90        p99      p99.9        max
connect time         500 µs    1.00 ms    1.00 ms    1.50 ms    1.50 ms    1.50 ms    1.50 ms

generator         27.4 s CPU (12.3 s user, 15.1 s system), steady 0.45 of a core, 84.3 MB RSS
`,
  );
});

test("clientSummary() of a closed loop requests no rate and says what it is", () => {
  const closed = clientSnapshot({ arrivals: "inflight", requestedRate: 0 });
  const verdict = judge(closed, { expectations: [], maxLatenessP99Ns: Infinity });
  const text = clientSummary({ ...closed, verdict }).join("\n");
  assert.match(text, /closed loop \(inflight\)/);
  assert.match(text, /message rate +– +50,000\/s\n/);
  assert.match(text, /- This is a closed loop .*leave/s);
});

test("clientSummary() shows dashes for what was not measured", () => {
  const empty = new Histogram();
  const lines = clientSummary(clientSnapshot({
    steadyMs: 0,
    steady: messages(0),
    achievedRate: 0,
    histograms: {
      response: empty,
      service: empty,
      connect: empty,
      scheduleError: empty,
      lateness: empty,
    },
  }));
  assert.match(lines.join("\n"), /response time( +–){7}\n/);
  assert.match(lines.join("\n"), /traffic +–\/s sent|traffic +– sent/);
  assert.ok(!lines.join("\n").includes("NaN"));
});

test("clientSummary() of a run that ended in its warm-up says so, and what it sent", () => {
  const lines = clientSummary(clientSnapshot({
    interrupted: true,
    steadyMs: 0,
    steady: messages(0),
    messages: messages(1_200, {
      answered: 1_190,
      lost: { timeout: 0, closed: 4, corrupted: 0, unanswered: 6 },
    }),
  }));
  assert.match(
    lines.join(" ").replace(/ +/g, " "),
    /messages nothing was measured: .* before its measured phase; .* 1,200 sent, 1,190 answered, 10 lost/,
  );
  assert.doesNotMatch(lines.join("\n"), /messages due/);
});

test("clientSummary() tells connections that were turned away from those that were in use", () => {
  const { connections } = clientSnapshot();
  const lines = clientSummary(clientSnapshot({
    connections: { ...connections, open: connections.opened - 10, lost: 10, lostUnused: 7 },
  }));
  assert.match(lines.join("\n"), /^connections .* 10 lost \(7 before any answer\)$/m);
});

test("clientSummary() says how many workers there were, and which have ended", () => {
  const lines = clientSummary(clientSnapshot({ workers: workerStates() }));
  assert.match(
    lines.join("\n"),
    /^workers +2 processes, the busiest used 0\.95 of a core\n +worker 2 \(pid 5002\) ended after 3\.2 s: SIGKILL; 2,000 connections were lost$/m,
  );
});

test("clientSummary() shows what still waits in a run that goes on", () => {
  const lines = clientSummary(clientSnapshot({
    steady: messages(100, { due: 105, answered: 90, inFlight: 10, queued: 5 }),
  }));
  assert.match(lines.join("\n"), /still waiting +15 +10 for an answer, 5 to be sent/);
});
