import { test } from "bun:test";
import assert from "node:assert/strict";
import type { Histogram } from "../../lib/stats/histogram.ts";
import { ChildServer } from "./child_server.ts";
import type { DelayingServerReport, DelayingServerSettings } from "./delaying_server.ts";
import { lostOf } from "./books.ts";
import { expectUndisturbed, undisturbed } from "./disturbance.ts";
import { type LoadRun, runLoad, type RunSettings, uniform } from "./load_run.ts";
import { goFirst } from "./priority.ts";

goFirst();

type Frozen = { fromNs: number; toNs: number };

function startServer(settings: Partial<DelayingServerSettings>) {
  return ChildServer.start<DelayingServerReport>("delaying_server.ts", {
    transport: "tcp",
    frameBytes: 64,
    delays: [{ ms: 0, share: 1 }],
    ...settings,
  });
}

function ascending(values: Iterable<number>): number[] {
  return [...values].sort((a, b) => a - b);
}

/** The smallest value that `percentile` percent do not exceed. */
function percentileOf(sorted: readonly number[], percentile: number): number {
  return sorted[Math.max(0, Math.ceil(percentile * sorted.length / 100 - 1e-6) - 1)]!;
}

/** Response, service and schedule error of each answered message of a uniform plan, by its formula. */
function recomputed({ generator, books }: LoadRun, ratePerSecond: number) {
  const startNs = generator.times.steadyStartNs - generator.settings.warmupMs * 1e6;
  return books.messages.filter(({ answeredNs }) => !Number.isNaN(answeredNs)).map((message) => {
    // All messages of the plan were sent: their numbers are those of the plan.
    const intendedNs = startNs + message.sequence * 1e9 / ratePerSecond;
    return {
      ...message,
      intendedNs,
      responseNs: message.answeredNs - intendedNs,
      serviceNs: message.answeredNs - message.sentNs,
      scheduleErrorNs: message.sentNs - intendedNs,
      isSteady: intendedNs >= generator.times.steadyStartNs,
    };
  });
}

/** The histogram holds exactly these values, as far as its buckets resolve. */
function assertHolds(histogram: Histogram, valuesNs: readonly number[], what: string): void {
  const sorted = ascending(valuesNs);
  assert.equal(histogram.count, sorted.length, `${what}: count`);
  for (const percentile of [0, 1, 10, 25, 50, 75, 90, 99, 99.9, 100]) {
    const exactNs = percentileOf(sorted, percentile);
    const recordedNs = histogram.percentileNs(percentile);
    const isNear = recordedNs >= exactNs - 2 && recordedNs <= exactNs * 1.001 + 2;
    assert.ok(isNear, `${what} p${percentile}: recorded ${recordedNs}, was ${exactNs}`);
  }
  const meanNs = valuesNs.reduce((sum, ns) => sum + ns, 0) / valuesNs.length;
  assert.ok(
    Math.abs(histogram.meanNs - meanNs) < 2,
    `${what}: mean ${histogram.meanNs}, ${meanNs}`,
  );
}

function assertRecordsTruth(run: LoadRun, ratePerSecond: number): void {
  const { response, service } = run.snapshot.histograms;
  const steady = recomputed(run, ratePerSecond).filter(({ isSteady }) => isSteady);
  assertHolds(response, steady.map(({ responseNs }) => responseNs), "response");
  assertHolds(service, steady.map(({ serviceNs }) => serviceNs), "service");
  assertHolds(run.responseOfSeconds, steady.map(({ responseNs }) => responseNs), "seconds");
}

/**
 * What the server noted of its own times agrees with what the client noted of each message. The two
 * clocks differ by a constant, which no message may contradict: it was received after it was sent,
 * and answered before its answer came.
 */
function assertCausal({ books }: LoadRun, report: DelayingServerReport): void {
  let lowestNs = -Infinity;
  let highestNs = Infinity;
  const places = new Map(report.sequences.map((sequence, place) => [sequence, place]));
  for (const { sequence, sentNs, answeredNs } of books.messages) {
    const place = places.get(sequence)!;
    highestNs = Math.min(highestNs, report.receivedNs[place]! - sentNs);
    lowestNs = Math.max(lowestNs, report.answeredNs[place]! - answeredNs);
  }
  // What is left between the two is the fastest way there and back.
  const roundTripNs = highestNs - lowestNs;
  assert.ok(roundTripNs > 0, `the clocks contradict each other by ${-roundTripNs} ns`);
  expectUndisturbed(
    roundTripNs < 300e3,
    `the fastest message took ${roundTripNs} ns beside its delay`,
  );
}

const delayRate = 500;

async function runAgainst(settings: Partial<DelayingServerSettings>, durationMs: number) {
  await using server = await startServer(settings);
  const run = await runLoad({
    endpoint: `${settings.transport ?? "tcp"}://127.0.0.1:${server.port}`,
    load: uniform(delayRate),
    message: 64,
    connections: 4,
    warmupMs: 100,
    durationMs,
  });
  const report = await server.report();
  const { messages, steady } = run.snapshot;
  assert.equal(steady.answered, Math.round(delayRate * durationMs / 1000));
  assert.equal(report.sequences.length, messages.answered);
  assertRecordsTruth(run, delayRate);
  assertCausal(run, report);
  const isSteady = new Set(
    recomputed(run, delayRate).filter((one) => one.isSteady).map(({ sequence }) => sequence),
  );
  const delaysNs = report.sequences.flatMap((sequence, place) =>
    isSteady.has(sequence) ? [report.answeredNs[place]! - report.receivedNs[place]!] : []
  );
  return { ...run.snapshot.histograms, delaysNs: ascending(delaysNs) };
}

/** Percentiles are those of the server's own delays, but for the way there and back. */
async function assertDelay(
  settings: Partial<DelayingServerSettings>,
  durationMs: number,
  knownMs: Readonly<Record<number, number>>,
): Promise<void> {
  const wayOnly = await runAgainst({ ...settings, delays: [{ ms: 0, share: 1 }] }, 400);
  const wayP50Ns = wayOnly.response.percentileNs(50);
  expectUndisturbed(wayP50Ns < 500e3, `the way alone takes ${wayP50Ns} ns`);
  const { response, service, delaysNs } = await runAgainst(settings, durationMs);
  for (const [percentile, ms] of Object.entries(knownMs)) {
    const ownNs = percentileOf(delaysNs, +percentile);
    expectUndisturbed(
      Math.abs(ownNs - ms * 1e6) < 2e6,
      `the server's own p${percentile} is ${ownNs} ns`,
    );
    const wayNs = Math.min(wayOnly.response.percentileNs(+percentile), 1e6);
    const allowedNs = Math.max(0.01 * ms * 1e6, 200e3) + wayNs;
    for (const [name, histogram] of Object.entries({ response, service })) {
      const beyondNs = histogram.percentileNs(+percentile) - ownNs;
      assert.ok(beyondNs > -0.001 * ownNs, `${name} p${percentile} is below the server's own`);
      expectUndisturbed(
        beyondNs < allowedNs,
        `${name} p${percentile} of ${ms} ms is off by ${beyondNs} ns, allowed are ${allowedNs}`,
      );
    }
  }
  const shorter = delaysNs.filter((ns) => ns <= 75e6).length;
  expectUndisturbed(response.countsAtOrBelow([75e6])[0] === shorter, "messages below 75 ms");
}

test("LoadGenerator shows a delay of 5 ms over TCP", async () => {
  const delays = [{ ms: 5, share: 1 }];
  await undisturbed(8, () => assertDelay({ delays }, 800, { 1: 5, 10: 5, 50: 5, 90: 5, 99: 5 }));
}, 30_000);

test("LoadGenerator shows a delay of 50 ms over UDP", async () => {
  const delays = [{ ms: 50, share: 1 }];
  const known = { 1: 50, 10: 50, 50: 50, 90: 50, 99: 50 };
  await undisturbed(8, () => assertDelay({ transport: "udp", delays }, 800, known));
}, 30_000);

test("LoadGenerator shows two delays in their shares", async () => {
  const delays = [{ ms: 10, share: 0.8 }, { ms: 100, share: 0.2 }];
  const known = { 10: 10, 50: 10, 70: 10, 90: 100, 99: 100 };
  await undisturbed(8, () => assertDelay({ delays }, 1000, known));
}, 30_000);

/** A run in the middle of which the server stands still, and for how long it did. */
async function runThroughFreeze(
  server: ChildServer<DelayingServerReport>,
  settings: Omit<RunSettings, "endpoint">,
  freezeMs: number,
) {
  let frozen: Promise<unknown> | undefined;
  const timer = setTimeout(() => frozen = server.ask({ freezeMs }), 1000);
  const run = await runLoad({ endpoint: `tcp://127.0.0.1:${server.port}`, ...settings });
  clearTimeout(timer);
  const { fromNs, toNs } = await frozen as Frozen;
  return { run, frozenNs: toNs - fromNs };
}

function shareAbove(histogram: Histogram, ns: number): number {
  return 1 - histogram.countsAtOrBelow([ns])[0]! / histogram.count;
}

// The proportions of 1.5 s in 10 s: 15 % of the messages fall due while the server stands still, and
// each waits for what is left of that time.
test(
  "LoadGenerator shows a freeze of the server as the waiting of all that was due in it",
  async () => {
    await undisturbed(4, async () => {
      await using server = await startServer({});
      const ratePerSecond = 2000;
      const durationMs = 4000;
      const load = uniform(ratePerSecond);
      const { run, frozenNs } = await runThroughFreeze(
        server,
        { load, message: 64, connections: 4, durationMs },
        600,
      );
      assertRecordsTruth(run, ratePerSecond);
      const { response, service, scheduleError } = run.snapshot.histograms;
      assert.equal(run.snapshot.steady.answered, ratePerSecond * durationMs / 1000);
      const frozenShare = frozenNs / (durationMs * 1e6);
      expectUndisturbed(Math.abs(frozenShare - 0.15) < 0.01, `frozen for ${frozenNs} ns`);
      // Those who wait more than x are due before the last x of the freeze.
      for (let tenths = 1; tenths <= 9; tenths++) {
        const waitNs = frozenNs * tenths / 10;
        const theory = frozenShare * (1 - tenths / 10);
        for (const [name, histogram] of Object.entries({ response, service })) {
          const share = shareAbove(histogram, waitNs);
          const isRight = Math.abs(share - theory) < 0.05 * frozenShare;
          expectUndisturbed(
            isRight,
            `${name} above ${waitNs / 1e6} ms: ${share}, in theory ${theory}`,
          );
        }
      }
      const waitingShare = shareAbove(response, 50e6);
      const waitingTheory = frozenShare - 50 / durationMs;
      expectUndisturbed(Math.abs(waitingShare - waitingTheory) < 0.015, `${waitingShare} wait`);
      const longestNs = response.maxNs;
      assert.ok(longestNs > 0.98 * frozenNs, `longest ${longestNs}`);
      expectUndisturbed(longestNs < 1.05 * frozenNs, `longest ${longestNs}`);
      // The kernel took the bytes at once: nothing was held up on this side.
      expectUndisturbed(scheduleError.percentileNs(99) < 20e6, "schedule error");
      assert.equal(run.snapshot.generator.heldBackSends, 0);
    });
  },
  30_000,
);

test("LoadGenerator keeps intended times where the sends are held up", async () => {
  await undisturbed(4, async () => {
    const frameBytes = 256 * 1024;
    await using server = await startServer({ frameBytes, receiveBufferBytes: 65_536 });
    const ratePerSecond = 60;
    const { run, frozenNs } = await runThroughFreeze(
      server,
      { load: uniform(ratePerSecond), message: frameBytes, durationMs: 3000 },
      1000,
    );
    assertRecordsTruth(run, ratePerSecond);
    const { snapshot } = run;
    const { response, service, scheduleError, lateness } = snapshot.histograms;
    assert.equal(snapshot.steady.answered, ratePerSecond * 3);
    // The whole wait, as far as the theory of the freeze goes.
    for (const tenths of [2, 4, 6, 8]) {
      const theory = frozenNs / 3e9 * (1 - tenths / 10);
      const share = shareAbove(response, frozenNs * tenths / 10);
      expectUndisturbed(
        Math.abs(share - theory) < 0.1 / 3,
        `above ${tenths} tenths: ${share}, ${theory}`,
      );
    }
    // Response is service and schedule error, message by message: so are the means.
    const sumNs = service.meanNs + scheduleError.meanNs;
    assert.ok(Math.abs(response.meanNs - sumNs) < 2, `${response.meanNs} is not ${sumNs}`);
    assertHolds(
      scheduleError,
      recomputed(run, ratePerSecond).map(({ scheduleErrorNs }) => scheduleErrorNs),
      "schedule error",
    );
    // Many messages found the buffers full, and left when the server read again.
    const held = recomputed(run, ratePerSecond).filter((one) => one.scheduleErrorNs > 50e6);
    assert.ok(held.length >= 10, `${held.length} messages were held up`);
    assert.ok(snapshot.generator.heldBackSends >= held.length);
    const resumedNs = Math.min(...held.map(({ sentNs }) => sentNs));
    for (const { intendedNs, sentNs, serviceNs, responseNs } of held) {
      expectUndisturbed(sentNs - resumedNs < 300e6, "held messages leave together");
      expectUndisturbed(serviceNs < 300e6, `a held message took ${serviceNs} after it was sent`);
      assert.ok(responseNs > sentNs - intendedNs);
    }
    // The generator itself was in time.
    assert.equal(lateness.count, snapshot.steady.sent);
    expectUndisturbed(lateness.percentileNs(90) < 20e6, `lateness ${lateness.percentileNs(90)}`);
    assert.ok(scheduleError.percentileNs(90) > 200e6, `${scheduleError.percentileNs(90)}`);
  });
}, 30_000);

test("LoadGenerator accounts for every message when the server is killed", async () => {
  for (const transport of ["tcp", "udp"] as const) {
    await using server = await startServer({ transport, delays: [{ ms: 20, share: 1 }] });
    const timer = setTimeout(() => server.kill(), 1000);
    const run = await runLoad({
      endpoint: `${transport}://127.0.0.1:${server.port}`,
      load: uniform(5000),
      message: 64,
      connections: 20,
      warmupMs: 300,
      durationMs: 60_000,
    });
    clearTimeout(timer);
    const { messages, steady, connections } = run.snapshot;
    assert.ok(run.tookMs < 3000, `${transport}: the run went on for ${run.tookMs} ms`);
    assert.ok(messages.lost.closed > 0 && messages.answered > 1000, JSON.stringify(messages));
    assert.equal(lostOf(messages), messages.lost.closed, JSON.stringify(messages));
    assert.ok(steady.lost.closed > 0 && steady.sent < messages.sent);
    assert.deepEqual([connections.lost, connections.open], [20, 0]);
    assert.equal(connections.failures.reduce((sum, { count }) => sum + count, 0), 20);
    assert.ok(run.snapshot.steadyMs < 3000 && !run.snapshot.interrupted);
  }
}, 20_000);
