import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import process from "node:process";
import { UsageError } from "../../lib/errors.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { allAnswered } from "../cli/client_process.ts";
import { assertBalanced } from "../load/books.ts";
import { ChildServer, until } from "../server/running_server.ts";
import { isAlive } from "../workers/alive.ts";
import { LocalClient, runHere } from "./local_client.ts";
import { timedServer } from "./timed_server.ts";

const server = await ChildServer.start(["tcp", "udp", "ws"].map((one) => `${one}://127.0.0.1:0`));
afterAll(() => server.stop());
const endpointOf = (scheme: "tcp" | "udp" | "ws") =>
  `${scheme}://127.0.0.1:${server.portOf(scheme)}`;
const tcp = endpointOf("tcp");

for (const scheme of ["tcp", "udp", "ws"] as const) {
  test(`workers share a load over ${scheme}, and agree with the server`, async () => {
    const before = (await server.snapshot()).endpoints.find(({ endpoint }) =>
      endpoint.startsWith(scheme)
    )!.counts;
    const outcome = await runHere(endpointOf(scheme), {
      workers: 3,
      connections: 10,
      ratePerSecond: 1000,
      arrivals: "uniform",
      sizeBytes: 100,
      durationMs: 500,
      verify: true,
    });
    const snapshot = allAnswered(outcome);
    assert.deepEqual([snapshot.steady.due, snapshot.connections.opened], [500, 10]);
    assert.deepEqual([snapshot.steadyMs, snapshot.steadyPlannedMs], [500, 500]);
    assert.equal(snapshot.requestedRate, 1000);
    const { histograms, workers = [] } = snapshot;
    assert.equal(histograms.response.count, snapshot.steady.answered);
    assert.equal(histograms.lateness.count, snapshot.steady.sent);
    assert.equal(histograms.connect.count, 10);
    assert.deepEqual(workers.map(({ number, open }) => [number, open]), [[1, 4], [2, 3], [3, 3]]);
    assert.equal(new Set(workers.map(({ pid }) => pid)).size, 3);
    assert.ok(workers.every(({ pid, cpuSeconds }) => !isAlive(pid) && cpuSeconds > 0));
    assert.match(outcome.out, /^workers +3 processes, the busiest used /m);
    const { total } = await server.snapshotWith("they are gone", ({ total }) => total.open === 0);
    assert.equal(total.open, 0);
    const after = (await server.snapshot()).endpoints.find(({ endpoint }) =>
      endpoint.startsWith(scheme)
    )!.counts;
    assert.equal(after.bytesReceived - before.bytesReceived, snapshot.messages.sent * 100);
    assert.equal(after.accepted - before.accepted, scheme === "udp" ? 0 : 10);
  }, 60_000);
}

test("workers carry out one plan: uniform over all, from one instant, in turn", async () => {
  await using observer = await timedServer();
  const count = 120;
  const gapMs = 10;
  const snapshot = allAnswered(
    await runHere(`tcp://127.0.0.1:${observer.port}`, {
      workers: 4,
      connections: 10,
      ratePerSecond: 1000 / gapMs,
      arrivals: "uniform",
      sizeBytes: 64,
      durationMs: count * gapMs,
    }),
  );
  assert.equal(snapshot.steady.sent, count);
  const { messages } = observer;
  assert.equal(messages.length, count);
  // Each is due at a multiple of the gap after the first. Half of them are on time, however busy
  // this machine is: four plans that began at their own times would be spread evenly.
  const offsets = messages.map(({ atMs }, k) => atMs - messages[0]!.atMs - k * gapMs);
  const middle = offsets.toSorted((a, b) => a - b)[count / 2]!;
  const nearby = offsets.filter((offset) => Math.abs(offset - middle) < gapMs / 4).length;
  assert.ok(nearby > count / 2, `${nearby} of ${count} within ${gapMs / 4} ms of their time`);
  // The connections take turns over all workers: each sends every tenth message.
  const inTurn = messages.filter(({ connection }, k) =>
    k >= 10 && connection === messages[k - 10]!.connection
  );
  assert.ok(inTurn.length > (count - 10) / 2, `${inTurn.length} in turn`);
  for (let connection = 0; connection < 10; connection++) {
    const own = messages.filter((message) => message.connection === connection);
    assert.equal(own.length, count / 10);
  }
}, 30_000);

test("--barrier: nobody sends before the connections of all workers are open", async () => {
  const load = {
    workers: 3,
    connections: 6,
    connectRatePerSecond: 8,
    ratePerSecond: 200,
    durationMs: 1000,
  };
  {
    await using observer = await timedServer();
    const endpoint = `tcp://127.0.0.1:${observer.port}`;
    const snapshot = allAnswered(await runHere(endpoint, load));
    const lastOpenMs = Math.max(...observer.openedAtMs);
    assert.equal(observer.openedAtMs.length, 6);
    assert.ok(observer.messages[0]!.atMs >= lastOpenMs);
    assert.equal(snapshot.messages.due, snapshot.steady.due);
    assert.equal(snapshot.measuresRamp, undefined);
  }
  await using observer = await timedServer();
  const endpoint = `tcp://127.0.0.1:${observer.port}`;
  const { out, snapshot } = await runHere(endpoint, { ...load, barrier: false });
  assert.equal(observer.openedAtMs.length, 6);
  assert.ok(observer.messages[0]!.atMs < Math.max(...observer.openedAtMs));
  assert.ok(snapshot !== undefined && snapshot.measuresRamp === true);
  assert.equal(snapshot.steadyMs, 1000);
  assert.equal(snapshot.steady.answered, snapshot.steady.sent);
  assert.match(out, /^time .*1\.0 s measured of .*, from the first connect on$/m);
}, 30_000);

test("a worker that is killed is named, and what it had is lost; the run goes on", async () => {
  const client = new LocalClient(tcp, {
    workers: 4,
    connections: 40,
    intervalMs: 50,
    durationMs: 3000,
    statsAddress: { host: "127.0.0.1", port: 0 },
    quiet: false,
  });
  const url = await client.statsUrl();
  const read = async () => await (await fetch(`${url}stats`)).json() as ClientSnapshot;
  let live = await read();
  const isSteady = () => live.phase === "steady" && live.messages.answered > 100;
  for (let turn = 0; turn < 500 && !isSteady(); turn++) {
    await Bun.sleep(20);
    live = await read();
  }
  assert.ok(isSteady(), live.phase);
  const { pid } = live.workers![1]!;
  process.kill(pid, "SIGKILL");
  await until("its end is noticed", () => client.noteLines.some((line) => line.includes(`${pid}`)));
  live = await read();
  assertBalanced(live.messages);
  assert.deepEqual([live.connections.open, live.connections.lost], [30, 10]);

  const { exitCode, out, snapshot } = await client.ended;
  assert.equal(exitCode, 3);
  assert.ok(snapshot !== undefined);
  const { connections, messages, workers = [], verdict } = snapshot;
  assert.deepEqual([snapshot.phase, snapshot.interrupted], ["done", false]);
  assert.ok(snapshot.steadyMs > 2999, "the others went on to the end");
  assert.deepEqual([connections.open, connections.lost, connections.opened], [30, 10, 40]);
  assert.deepEqual(connections.failures.map(({ kind, count }) => [kind, count]), [
    ["host-worker", 10],
  ]);
  assert.equal(messages.sent, messages.answered + messages.lost.closed);
  assert.ok(messages.answered > 30 * 40, `${messages.answered}`);
  const lines = client.noteLines.filter((line) => / s +steady /.test(line)).length;
  assert.ok(lines >= 2 && lines <= 5, `a line a second, of all workers: ${lines} in 3 s`);
  const [end] = workers[1]!.ends;
  assert.deepEqual([end!.pid, end!.reason, end!.connections], [pid, "SIGKILL", 10]);
  assert.ok(end!.atMs > 0 && end!.atMs < snapshot.elapsedMs);
  assert.equal(verdict?.kind, "invalid");
  assert.match(verdict.reasons[0]!, new RegExp(`^Worker 2 of 4 \\(pid ${pid}\\) ended .*SIGKILL`));
  assert.match(
    out,
    new RegExp(`worker 2 \\(pid ${pid}\\) ended after .*: SIGKILL; 10 connections`),
  );
}, 30_000);

test("all workers killed: the run ends, invalid", async () => {
  const client = new LocalClient(tcp, {
    workers: 2,
    connections: 4,
    durationMs: 60_000,
    statsAddress: { host: "127.0.0.1", port: 0 },
    quiet: false,
  });
  const url = await client.statsUrl();
  const { workers } = await (await fetch(`${url}stats`)).json() as ClientSnapshot;
  for (const { pid } of workers!) process.kill(pid, "SIGKILL");
  const { exitCode, snapshot } = await client.ended;
  assert.equal(exitCode, 3);
  assert.equal(snapshot!.verdict?.kind, "invalid");
  assert.equal(
    snapshot!.verdict?.reasons.filter((reason) => reason.startsWith("Worker")).length,
    2,
  );
  assert.equal(snapshot!.connections.open, 0);
}, 30_000);

test("an interrupt ends all workers with a merged report", async () => {
  const client = new LocalClient(tcp, {
    workers: 2,
    connections: 10,
    intervalMs: 20,
    durationMs: 60_000,
    statsAddress: { host: "127.0.0.1", port: 0 },
    quiet: false,
  });
  await until("messages flow", () => client.noteLines.some((line) => / steady /.test(line)));
  client.interrupt();
  const { exitCode, snapshot, out } = await client.ended;
  assert.equal(exitCode, 130);
  assert.deepEqual([snapshot!.interrupted, snapshot!.phase], [true, "done"]);
  assert.ok(snapshot!.messages.answered > 10);
  assert.equal(snapshot!.messages.answered, snapshot!.messages.sent);
  assert.match(out, /interrupted/);
  assert.ok(snapshot!.workers!.every(({ pid }) => !isAlive(pid)));
}, 30_000);

test("workers that cannot begin say why, once, as one process would", async () => {
  const refused: [Parameters<typeof runHere>[1], RegExp][] = [
    [{ workers: 3, connections: 2 }, /^--workers 3 is more than --connections 2/],
    [
      { workers: 2, connections: 2, ratePerSecond: 1, csvFile: "/dev/null" },
      /^--csv .*--workers 2/,
    ],
  ];
  for (const [settings, message] of refused) {
    await assert.rejects(runHere(tcp, settings), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, message);
      return true;
    });
  }
  // Found out by the workers themselves.
  const tooLarge = { workers: 2, connections: 2, ratePerSecond: 1, sizeBytes: 100_000 };
  await assert.rejects(runHere(endpointOf("udp"), tooLarge), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /^--size 100000 does not fit/);
    return true;
  });
}, 30_000);

test("--workers auto takes as many as the rate needs, and one where that is enough", async () => {
  const few = allAnswered(
    await runHere(tcp, { workers: "auto", connections: 2, ratePerSecond: 100, durationMs: 300 }),
  );
  assert.equal(few.workers, undefined);
  const most = Math.min(availableParallelism(), 2);
  const { snapshot } = await runHere(tcp, {
    workers: "auto",
    connections: 50,
    // A moment of it is enough to be counted.
    stages: "300ms:100, 1ms:300k",
  });
  assert.equal(snapshot!.workers?.length ?? 1, most);
}, 30_000);
