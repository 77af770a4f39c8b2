import { test } from "bun:test";
import assert from "node:assert/strict";
import type { LoadGenerator } from "../../lib/load/load_generator.ts";
import { nowNs } from "../../lib/stats/clock.ts";
import type { ClientSnapshot, Phase } from "../../lib/stats/snapshot.ts";
import { lostOf } from "./books.ts";
import { ChildServer } from "./child_server.ts";
import type { DelayingServerReport } from "./delaying_server.ts";
import { expectUndisturbed, undisturbed } from "./disturbance.ts";
import { poisson, runLoad, snapshotOf, uniform } from "./load_run.ts";
import type { MisbehavingServerReport, MisbehavingServerSettings } from "./misbehaving_server.ts";
import { goFirst } from "./priority.ts";

goFirst();

function startServer(settings: { transport?: "tcp" | "udp"; delayMs?: number; backlog?: number }) {
  const { transport = "tcp", delayMs = 0, ...others } = settings;
  return ChildServer.start<DelayingServerReport>("delaying_server.ts", {
    transport,
    frameBytes: 32,
    delays: [{ ms: delayMs, share: 1 }],
    ...others,
  });
}

/** A port on which nobody listens. */
function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

function failuresOf({ connections }: ClientSnapshot): [string, number][] {
  return connections.failures.map(({ kind, count }) => [kind, count]);
}

test("run() carries the same plan out for the same seed, and another for another", async () => {
  await using server = await startServer({});
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
  await using server = await startServer({});
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
  await using server = await startServer({});
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
  await using server = await startServer({ delayMs: 20 });
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
    await using server = await startServer({});
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
  await using server = await startServer({ delayMs: 60_000 });
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
  await using server = await startServer({});
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

test("a refused port ends the run with no connection opened", async () => {
  for (const load of [uniform(1000), { kind: "inflight", outstanding: 1 } as const]) {
    const { snapshot, tookMs } = await runLoad({
      endpoint: `tcp://127.0.0.1:${freePort()}`,
      load,
      message: 32,
      connections: 20,
      durationMs: 60_000,
    });
    const { attempted, opened, failed, open } = snapshot.connections;
    assert.deepEqual([attempted, opened, failed, open], [20, 0, 20, 0]);
    assert.deepEqual(failuresOf(snapshot), [["refused", 20]]);
    assert.deepEqual([snapshot.messages.due, snapshot.steadyMs], [0, 0]);
    assert.ok(tookMs < 2500, `${tookMs} ms`);
  }
});

test("connections that never complete are given up after the connect timeout", async () => {
  // It accepts, and says nothing to a ClientHello.
  const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { snapshot, tookMs } = await runLoad({
    endpoint: `tls://127.0.0.1:${silent.port}`,
    load: uniform(1000),
    message: 32,
    connections: 5,
    connectTimeoutMs: 400,
    durationMs: 60_000,
  });
  silent.stop(true);
  assert.deepEqual([snapshot.connections.opened, snapshot.connections.failed], [0, 5]);
  assert.deepEqual(failuresOf(snapshot), [["timeout", 5]]);
  assert.ok(tookMs >= 400 && tookMs < 2500, `${tookMs} ms`);
}, 20_000);

test("a full backlog leaves connections out, and the run goes on with the others", async () => {
  await using server = await startServer({ backlog: 2 });
  // It accepts nothing until the connect timeouts are over.
  const thawed = server.ask({ freezeMs: 900 });
  await Bun.sleep(50);
  const { snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: uniform(200),
    message: 32,
    connections: 12,
    connectTimeoutMs: 400,
    durationMs: 1000,
  });
  await thawed;
  const { opened, failed, lost } = snapshot.connections;
  // The kernel lets one more in than it was asked to: listen(2).
  assert.ok(opened >= 1 && opened <= 4, `${opened} opened`);
  assert.deepEqual([opened + failed, lost], [12, 0]);
  assert.deepEqual(failuresOf(snapshot), [["timeout", failed]]);
  assert.deepEqual([snapshot.messages.due, snapshot.messages.answered], [200, 200]);
}, 20_000);

test("connections that the target closes are counted, and the run goes on with the rest", async () => {
  let accepted = 0;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket: Bun.Socket<number>) {
        socket.data = accepted++;
      },
      data(socket, bytes) {
        socket.write(bytes);
        // Every other one, after its first answers: in order, and by reset.
        if (socket.data % 4 === 1) socket.end();
        if (socket.data % 4 === 3) setTimeout(() => socket.terminate(), 30);
      },
      error() {},
    },
  });
  const { snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${listener.port}`,
    load: uniform(2000),
    message: 32,
    connections: 12,
    durationMs: 600,
  });
  listener.stop(true);
  const { open, lost, failures } = snapshot.connections;
  assert.deepEqual([open, lost], [6, 6]);
  const kinds = Object.fromEntries(failures.map(({ kind, count }) => [kind, count]));
  // A reset that a write runs into before the event loop hears of it closes without an error.
  const byPeer = kinds["closed-by-peer"] ?? 0;
  assert.ok(byPeer >= 3, JSON.stringify(kinds));
  assert.deepEqual(
    kinds,
    byPeer === 6 ? { "closed-by-peer": 6 } : {
      "closed-by-peer": byPeer,
      reset: 6 - byPeer,
    },
  );
  const { messages } = snapshot;
  assert.equal(messages.due, 1200);
  assert.equal(lostOf(messages), messages.lost.closed);
  assert.ok(messages.answered > 1000, JSON.stringify(messages));
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
  await using server = await startServer({ delayMs: 5 });
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
