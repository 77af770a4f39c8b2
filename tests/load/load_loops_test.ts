import { test } from "bun:test";
import assert from "node:assert/strict";
import type { LoadGenerator } from "../../lib/load/load_generator.ts";
import { nowNs } from "../../lib/stats/clock.ts";
import { lostOf } from "./books.ts";
import { ChildServer } from "./child_server.ts";
import { startDelayingChild } from "./delaying_child.ts";
import { expectUndisturbed, undisturbed } from "./disturbance.ts";
import { runLoad } from "./load_run.ts";
import type { MisbehavingServerReport, MisbehavingServerSettings } from "./misbehaving_server.ts";
import { goFirst } from "./priority.ts";

goFirst();

/** Looks at the messages open on each connection in the steady phase, between all callbacks. */
function watchOpen(connections: number) {
  const samples: number[] = [];
  let timer: ReturnType<typeof setInterval> | undefined;
  return {
    samples,
    start(generator: LoadGenerator) {
      timer = setInterval(() => {
        // The phase is over a little before the generator's next step notices.
        if (generator.times.phase !== "steady" || nowNs() >= generator.times.steadyEndNs) return;
        for (let id = 0; id < connections; id++) samples.push(generator.ledger.openOn(id));
      }, 2);
    },
    stop: () => clearInterval(timer),
  };
}

test("a closed loop keeps exactly so many messages outstanding on each connection", async () => {
  await using server = await startDelayingChild({ delayMs: 20 });
  const watch = watchOpen(3);
  const { snapshot, books } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: { kind: "inflight", outstanding: 4 },
    message: 32,
    connections: 3,
    warmupMs: 100,
    durationMs: 1000,
    during: watch.start,
  });
  watch.stop();
  const { messages, steady, histograms } = snapshot;
  assert.equal(snapshot.arrivals, "inflight");
  assert.ok(watch.samples.length > 100 && watch.samples.every((open) => open === 4));
  assert.deepEqual([messages.answered, lostOf(messages)], [messages.sent, 0]);
  // Little's law: outstanding = rate × service time, whatever the machine does meanwhile.
  const outstanding = snapshot.achievedRate * histograms.service.meanNs / 1e9;
  assert.ok(Math.abs(outstanding - 12) < 0.6, `${outstanding} outstanding on average`);
  assert.ok(histograms.response.minNs >= 20e6 && steady.sent > 100);
  // From the trace: never more than four at once.
  const events = books.messages.filter(({ connection }) => connection === 1)
    .flatMap(({ sentNs, answeredNs }) => [[sentNs, 1], [answeredNs, -1]] as const)
    .sort(([a, up], [b, down]) => a - b || up - down);
  let open = 0;
  let most = 0;
  for (const [, change] of events) most = Math.max(most, open += change);
  assert.deepEqual([most, open], [4, 0]);
});

test("a closed loop goes on after messages that are never answered", async () => {
  await using server = await ChildServer.start<MisbehavingServerReport>(
    "misbehaving_server.ts",
    {
      transport: "udp",
      frameBytes: 32,
      seed: 3,
      share: 0.02,
      faults: ["dropped", "spoiltHeaders", "spoiltPayloads"],
      lateMs: 0,
      lateAmongFirst: 0,
    } satisfies MisbehavingServerSettings,
  );
  const watch = watchOpen(2);
  let lastSentNs = 0;
  const { snapshot, books, generator } = await runLoad({
    endpoint: `udp://127.0.0.1:${server.port}`,
    load: { kind: "inflight", outstanding: 5 },
    message: 32,
    connections: 2,
    durationMs: 1500,
    replyTimeoutMs: 250,
    during: watch.start,
  });
  watch.stop();
  for (const { sentNs } of books.messages) lastSentNs = Math.max(lastSentNs, sentNs);
  const report = await server.report();
  const { messages } = snapshot;
  const text = JSON.stringify({ messages, report });
  assert.ok(watch.samples.length > 100 && watch.samples.every((open) => open === 5));
  assert.ok(report.dropped > 10 && report.spoiltPayloads > 5, text);
  assert.equal(messages.lost.timeout, report.dropped + report.spoiltHeaders, text);
  assert.equal(messages.lost.corrupted, report.spoiltPayloads, text);
  assert.ok(generator.times.steadyEndNs - lastSentNs < 300e6, "messages were sent until the end");
}, 20_000);

test("interval sends on each connection from its opening on, evenly phased", async () => {
  const intervalMs = 50;
  const connections = 5;
  await undisturbed(3, async () => {
    await using server = await startDelayingChild();
    // A connection every 60 ms: later ones miss turns that the first ones have.
    const { snapshot, books, generator } = await runLoad({
      endpoint: `tcp://127.0.0.1:${server.port}`,
      load: { kind: "interval", intervalMs },
      message: 32,
      connections,
      connectsPerSecond: 1000 / 60,
      durationMs: 500,
    });
    const { messages, steady, steadyMs } = snapshot;
    assert.equal(messages.answered, messages.due);
    assert.equal(messages.sent, messages.due);
    const expected = connections * steadyMs / intervalMs;
    assert.ok(Math.abs(steady.due - expected) <= connections, `${steady.due} due, not ${expected}`);
    for (let id = 0; id < connections; id++) {
      const own = books.messages.filter(({ connection }) => connection === id);
      const phaseMs = id * intervalMs / connections;
      const turns = own.map(({ sentNs }) =>
        ((sentNs - generator.times.startNs) / 1e6 - phaseMs) / intervalMs
      );
      const first = Math.floor(turns[0]!);
      // Its turns follow each other, each a little after its time, and some right at it.
      let leastMs = Infinity;
      for (const [k, turn] of turns.entries()) {
        const lateMs = (turn - first - k) * intervalMs;
        leastMs = Math.min(leastMs, lateMs);
        expectUndisturbed(lateMs >= 0 && lateMs < 25, `turn ${k} of ${id} is ${lateMs} ms late`);
      }
      expectUndisturbed(leastMs < 3, `every turn of ${id} is at least ${leastMs} ms late`);
      const firstTurnAfterOpenMs = Math.ceil((id * 60 - phaseMs) / intervalMs) * intervalMs;
      const firstMs = first * intervalMs;
      expectUndisturbed(
        firstMs >= firstTurnAfterOpenMs && firstMs <= firstTurnAfterOpenMs + intervalMs,
        `connection ${id} begins at ${firstMs} ms`,
      );
      assert.ok(own.every(({ gapNs }) => gapNs === intervalMs * 1e6));
    }
  });
}, 20_000);
