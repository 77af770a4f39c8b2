import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import { evaluate, parseExpectation } from "../../lib/stats/expectations.ts";
import { Histogram } from "../../lib/stats/histogram.ts";
import { metricNames } from "../../lib/stats/metrics.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { clientSnapshot, histogramOfMs, messages } from "./sample_snapshots.ts";

const snapshot = clientSnapshot({
  histograms: {
    response: histogramOfMs(1, 2, 3, 4, 100),
    service: histogramOfMs(1, 2, 3, 4, 5),
    connect: histogramOfMs(7),
    scheduleError: histogramOfMs(0.5),
    lateness: histogramOfMs(0.25),
  },
  steady: messages(1_000_000, {
    due: 1_000_100,
    answered: 998_000,
    lost: { timeout: 1_500, closed: 300, corrupted: 200, unanswered: 0 },
    unsent: { noConnection: 60, heldBack: 30, generatorLate: 10 },
  }),
  anomalies: { duplicated: 1, late: 2, reordered: 3, corrupted: 4, unknown: 5 },
  answerStatuses: { NOERROR: 90, SERVFAIL: 10 },
  achievedRate: 49_500,
  connections: {
    ...clientSnapshot().connections,
    opened: 4_950,
    open: 4_940,
    failed: 50,
    lost: 10,
    achievedPerSecond: 480,
    failures: [{ kind: "refused", count: 50, firstAtMs: 1, firstDetail: "ECONNREFUSED" }],
  },
});

function check(text: string, from: ClientSnapshot = snapshot) {
  return evaluate(parseExpectation(text), from);
}

test("evaluate() decides each metric by its figure", () => {
  const passing = [
    "response.min==1ms",
    "response.mean==22ms",
    "response.p50 <= 3.1ms",
    "response.p99>=100ms",
    "response.max<100.1ms",
    "response.p99.95<0.2s",
    "service.p99<5.1ms",
    "connect.p90 < 8ms",
    "schedule.max<=500us",
    "schedule.max<=500µs",
    "lateness.p99<0.3ms",
    "sent==1M",
    "sent>=99.99%",
    "answered==998k",
    "answered>=99.8%",
    "lost==2000",
    "lost<=0.2%",
    "lost.timeout<0.16%",
    "lost.closed==300",
    "lost.corrupted<0.03%",
    "lost.unanswered==0",
    "unsent==100",
    "unsent.no-connection==60",
    "unsent.held-back==30",
    "unsent.generator-late==10",
    "rate>49.4k",
    "rate>49400/s",
    "rate>=99%",
    "rate.achieved>=99%",
    "connections.open==4940",
    "connections.opened>=99%",
    "connections.failed==1%",
    "connections.lost<=10",
    "connect.rate>=480",
    "connect.rate>=96%",
    "duplicated==1",
    "late==2",
    "reordered==3",
    "corrupted==4",
    "unknown<0.01%",
    "cpu<0.5",
    "cpu<=45%",
    "bytes.sent==192MB",
    "bytes.received>=183MiB",
    "bytes.sent-rate==3200kB",
    "failures.refused==50",
    "failures.refused<=1%",
    "failures.reset==0",
    "status.NOERROR>=90%",
    "status.SERVFAIL==10",
    "status.NXDOMAIN==0",
  ];
  for (const text of passing) {
    const result = check(text);
    assert.ok(result.passed, `${text}: ${result.measured}`);
    assert.equal(result.expectation, text);
  }
  const failing = [
    "response.p99<100ms",
    "response.p50>10s",
    "lost<0.2%",
    "lost==0",
    "rate>=50k",
    "rate.achieved>99%",
    "connections.opened==100%",
    "cpu>1",
    "duplicated<1",
  ];
  for (const text of failing) assert.ok(!check(text).passed, text);
});

test("evaluate() shows what was measured in the unit of the limit", () => {
  assert.equal(check("response.p99<10ms").measured, "100 ms");
  assert.equal(check("lost<0.1%").measured, "0.20 % (2,000)");
  assert.equal(check("lost<10").measured, "2,000");
  assert.equal(check("rate>1k").measured, "49,500/s");
  assert.equal(check("rate.achieved>1%").measured, "99.0 %");
  assert.equal(check("cpu<1").measured, "0.45 of a core");
});

test("evaluate() fails where there is no data, whatever the operator", () => {
  const empty = clientSnapshot({
    arrivals: "none",
    steady: messages(0),
    messages: messages(0),
    requestedRate: 0,
    achievedRate: 0,
    steadyMs: 0,
    answerStatuses: {},
    connections: {
      ...clientSnapshot().connections,
      attempted: 0,
      opened: 0,
      open: 0,
      achievedPerSecond: 0,
    },
    histograms: {
      response: new Histogram(),
      service: new Histogram(),
      connect: new Histogram(),
      scheduleError: new Histogram(),
      lateness: new Histogram(),
    },
  });
  const texts = [
    "response.p99<10ms",
    "response.p99>=0ms",
    "lost==0",
    "lost<1%",
    "rate>=0",
    "rate.achieved>=0%",
    "duplicated==0",
    "connections.failed==0",
    "connect.rate>=0",
    "cpu<1",
    "status.NOERROR>=0",
    "failures.reset==0",
    "bytes.sent>=0",
  ];
  for (const text of texts) {
    const result = check(text, empty);
    assert.equal(result.passed, false, text);
    assert.match(result.measured, /^no data: /);
  }
});

function usageError(text: string): string {
  try {
    parseExpectation(text);
  } catch (error) {
    assert.ok(error instanceof UsageError, `${text}: ${error}`);
    assert.ok(!error.message.includes("\n"));
    return error.message;
  }
  throw new Error(`${text} was accepted`);
}

test("parseExpectation() lists the metrics and suggests the nearest one", () => {
  const message = usageError("reponse.p99<10ms");
  assert.match(message, /did you mean response\.p99\?/);
  for (const name of metricNames) assert.ok(message.includes(name), name);
  assert.match(usageError("lost.timeuot==0"), /did you mean lost\.timeout\?/);
  assert.match(usageError("failures.resett==0"), /did you mean failures\.reset\?/);
  assert.doesNotMatch(usageError("throughput of the whole thing>1").slice(0, 80), /did you mean/);
  for (
    const name of ["toString", "constructor.p99", "response.p101", "response.", "status.", "p99"]
  ) {
    assert.match(usageError(`${name}<1ms`), /unknown metric/);
  }
});

test("parseExpectation() wants a limit with a unit that fits", () => {
  assert.match(usageError("response.p99<10"), /limit "10"; a duration.*10ms/);
  assert.match(usageError("response.p99<10%"), /a duration/);
  assert.match(usageError("lost<10ms"), /a count.*0\.1%/);
  assert.match(usageError("rate.achieved>0.99"), /a percentage.*99%/);
  assert.match(usageError("bytes.sent>1%"), /a size was expected/);
  assert.match(usageError("response.p99<-1ms"), /limit "-1ms"/);
  assert.match(usageError("response.p99<fast"), /limit "fast"/);
  for (const text of ["", "lost", "<1", "lost<", "lost<<1", "lost=1", "a b<1", "lost!=0"]) {
    usageError(text);
  }
});
