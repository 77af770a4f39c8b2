import { test } from "bun:test";
import assert from "node:assert/strict";
import { nowNs } from "../../lib/stats/clock.ts";
import type { Phase } from "../../lib/stats/snapshot.ts";
import { ChildServer } from "./child_server.ts";
import { startDelayingChild } from "./delaying_child.ts";
import { poisson, runLoad, snapshotOf, uniform } from "./load_run.ts";
import { goFirst } from "./priority.ts";

goFirst();

test("run() carries the same plan out for the same seed, and another for another", async () => {
  await using server = await startDelayingChild();
  const ratePerSecond = 5000;
  const plan = async (seed: number) => {
    const { books, snapshot } = await runLoad({
      endpoint: `tcp://127.0.0.1:${server.port}`,
      load: poisson(ratePerSecond),
      message: 32,
      connections: 10,
      durationMs: 800,
      seed,
    });
    assert.equal(snapshot.messages.sent, snapshot.messages.due);
    // Sent connection by connection; numbered as planned.
    const planned = books.messages.sort((a, b) => a.sequence - b.sequence);
    return planned.map(({ connection, gapNs }) => ({ connection, gapNs }));
  };
  const first = await plan(7);
  assert.deepEqual(await plan(7), first);
  const other = await plan(8);
  assert.ok(first.filter(({ gapNs }, k) => gapNs === other[k]?.gapNs).length < 10);

  // Exponential gaps: the standard deviation equals the mean, and e^-1 are longer than it.
  const gapsNs = first.map(({ gapNs }) => gapNs);
  const n = gapsNs.length;
  const plannedNs = 1e9 / ratePerSecond;
  const meanNs = gapsNs.reduce((sum, ns) => sum + ns, 0) / n;
  const variance = gapsNs.reduce((sum, ns) => sum + (ns - meanNs) ** 2, 0) / (n - 1);
  // 4 standard errors: 1/√n of the mean, √(8/n) of the variance.
  assert.ok(Math.abs(meanNs / plannedNs - 1) < 4 / Math.sqrt(n), `mean ${meanNs}`);
  const ratio = variance / plannedNs ** 2;
  assert.ok(Math.abs(ratio - 1) < 4 * Math.sqrt(8 / n), `variance ${ratio}`);
  const longer = gapsNs.filter((ns) => ns > plannedNs).length / n;
  assert.ok(Math.abs(longer - Math.exp(-1)) < 4 * Math.sqrt(0.233 / n), `${longer} are longer`);
  const counts = new Array<number>(10).fill(0);
  for (const { connection } of first) counts[connection]!++;
  const chi = counts.reduce((sum, count) => sum + (count - n / 10) ** 2 / (n / 10), 0);
  assert.ok(chi < 30, `chi² ${chi} of the connections`);
}, 20_000);

test("run() counts the warm-up apart from the steady phase", async () => {
  await using server = await startDelayingChild();
  const { snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: uniform(1000),
    message: 32,
    connections: 3,
    warmupMs: 300,
    durationMs: 500,
  });
  const { messages, steady, histograms } = snapshot;
  assert.deepEqual([messages.due, messages.answered], [800, 800]);
  assert.deepEqual([steady.due, steady.sent, steady.answered], [500, 500, 500]);
  for (const name of ["response", "service", "scheduleError", "lateness"] as const) {
    assert.equal(histograms[name].count, 500, name);
  }
  assert.equal(histograms.connect.count, 3);
  assert.deepEqual([snapshot.bytes.sent, snapshot.bytes.received], [800 * 32, 800 * 32]);
  assert.ok(Math.abs(snapshot.steadyMs - 500) < 0.001);
  assert.ok(Math.abs(snapshot.requestedRate - 1000) < 0.001);
  assert.equal(snapshot.arrivals, "uniform");
});

test("run() without a load holds the connections", async () => {
  await using server = await startDelayingChild();
  const { snapshot, tookMs } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: { kind: "none" },
    message: 32,
    connections: 50,
    durationMs: 300,
  });
  const { opened, open, failed, lost } = snapshot.connections;
  assert.deepEqual([opened, open, failed, lost], [50, 50, 0, 0]);
  assert.deepEqual([snapshot.messages.due, snapshot.bytes.sent], [0, 0]);
  assert.ok(tookMs >= 340, `${tookMs} ms`);
});

/** Aborts in a phase; the server answers nothing within the test. */
async function interruptIn(phase: Phase, settings: Parameters<typeof runLoad>[0]) {
  const controller = new AbortController();
  let abortedMs = NaN;
  let timer: ReturnType<typeof setInterval> | undefined;
  const run = await runLoad({
    ...settings,
    signal: controller.signal,
    during(generator) {
      timer = setInterval(() => {
        if (generator.times.phase !== phase || generator.times.startNs === Infinity) return;
        if (nowNs() - generator.times.startNs < 150e6) return;
        clearInterval(timer);
        abortedMs = performance.now();
        controller.abort();
      }, 5);
    },
  });
  clearInterval(timer);
  return { ...run, afterMs: performance.now() - abortedMs };
}

test("an interrupt ends the run in any phase, with a full report", async () => {
  await using server = await startDelayingChild({ delayMs: 60_000 });
  const settings = {
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: uniform(500),
    message: 32,
    connections: 4,
    replyTimeoutMs: 60_000,
    drainMs: 60_000,
  };
  const plans: Partial<Record<Phase, object>> = {
    ramp: { connectsPerSecond: 0.5 },
    warmup: { warmupMs: 60_000 },
    steady: { durationMs: 60_000 },
    drain: { durationMs: 100 },
  };
  for (const [phase, plan] of Object.entries(plans)) {
    const { snapshot, afterMs } = await interruptIn(phase as Phase, { ...settings, ...plan });
    const text = `${phase}: ${JSON.stringify(snapshot.messages)}`;
    assert.ok(afterMs < 2500, `${phase}: ended ${afterMs} ms after the interrupt`);
    assert.deepEqual([snapshot.phase, snapshot.interrupted], ["done", true], phase);
    const { messages, steady, connections } = snapshot;
    assert.equal(messages.lost.unanswered, messages.sent, text);
    if (phase === "ramp") {
      assert.deepEqual([connections.attempted, connections.opened, messages.due], [1, 1, 0], text);
      continue;
    }
    assert.equal(connections.opened, 4, text);
    assert.ok(messages.sent >= 50, text);
    assert.equal(steady.due > 0, phase !== "warmup", text);
    if (phase === "steady") assert.ok(snapshot.steadyMs < 5000 && snapshot.steadyMs > 100, text);
    if (phase === "drain") assert.deepEqual([steady.due, snapshot.steadyMs], [50, 100], text);
  }
}, 30_000);

test("run() with a signal that is aborted already ends at once", async () => {
  await using server = await startDelayingChild();
  const { snapshot, tookMs } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: uniform(500),
    message: 32,
    connections: 100,
    durationMs: 60_000,
    signal: AbortSignal.abort(),
  });
  assert.ok(tookMs < 1500, `${tookMs} ms`);
  assert.deepEqual([snapshot.phase, snapshot.interrupted], ["done", true]);
  assert.deepEqual([snapshot.connections.opened, snapshot.messages.due], [0, 0]);
});

test("run() matches DNS answers by 16-bit ids, round after round", async () => {
  await using server = await ChildServer.start("echo_server.ts", {});
  const { snapshot, books } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: poisson(60_000),
    message: "example.com/A",
    connections: 3,
    durationMs: 1500,
  });
  const { messages, anomalies, answerStatuses } = snapshot;
  assert.ok(messages.sent > 80_000 && books.messages.at(-1)!.sequence > 0x10000);
  assert.deepEqual([messages.answered, messages.sent], [messages.due, messages.due]);
  assert.deepEqual(answerStatuses, { echoed: messages.answered });
  assert.deepEqual(Object.values(anomalies), [0, 0, 0, 0, 0]);
}, 20_000);

test("second() sees balanced books and all that is recorded, second by second", async () => {
  await using server = await startDelayingChild({ delayMs: 5 });
  const { snapshot, responseOfSeconds, generator } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: poisson(500),
    message: 32,
    connections: 3,
    durationMs: 2300,
  });
  const { response } = snapshot.histograms;
  assert.ok(response.count > 900);
  assert.equal(responseOfSeconds.count, response.count);
  assert.equal(responseOfSeconds.sumNs, response.sumNs);
  assert.deepEqual(
    snapshotOf(generator).messages,
    snapshot.messages,
    "nothing moves after the end",
  );
}, 20_000);
