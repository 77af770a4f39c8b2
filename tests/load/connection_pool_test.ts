import { test } from "bun:test";
import assert from "node:assert/strict";
import { ConnectionPool } from "../../lib/load/connection_pool.ts";
import { LatencyRecorder } from "../../lib/load/latency_recorder.ts";
import type { Failure } from "../../lib/stats/failure.ts";
import { nowNs } from "../../lib/stats/clock.ts";
import { seededRandom } from "../stats/seeded_random.ts";

const reset: Failure = { kind: "reset", detail: "ECONNRESET" };
const refused: Failure = { kind: "refused", detail: "ECONNREFUSED" };

function build(connections: number, settings = { connectsPerSecond: 1000, timeoutMs: 100 }) {
  const connected: number[] = [];
  const terminated: number[] = [];
  const recorder = new LatencyRecorder();
  const pool = new ConnectionPool(
    {
      connections,
      connectsPerSecond: settings.connectsPerSecond,
      connectTimeoutNs: settings.timeoutMs * 1e6,
    },
    { connect: (id) => connected.push(id), terminate: (id) => terminated.push(id) },
    recorder,
  );
  return { pool, connected, terminated, recorder };
}

test("step() attempts connection k at k divided by the rate, and catches up", () => {
  const { pool, connected } = build(1000);
  const startNs = nowNs();
  pool.start(startNs);
  assert.equal(pool.nextAttemptNs, startNs);
  pool.step(startNs);
  assert.deepEqual(connected, [0]);
  assert.equal(pool.nextAttemptNs, startNs + 1e6);
  pool.step(startNs + 0.9e6);
  assert.equal(connected.length, 1);
  pool.step(startNs + 10e6);
  assert.deepEqual(connected, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  // Many at once are spread over several steps.
  pool.step(startNs + 5e9);
  assert.ok(connected.length < 300 && pool.nextAttemptNs < startNs + 5e9);
  for (let i = 0; i < 10; i++) pool.step(startNs + 5e9);
  assert.equal(pool.attempted, 1000);
  assert.equal(pool.nextAttemptNs, Infinity);
});

test("isSettled holds when every attempt has succeeded or failed", () => {
  const { pool, recorder } = build(3, { connectsPerSecond: 1e6, timeoutMs: 60_000 });
  const startNs = nowNs();
  pool.start(startNs);
  assert.equal(pool.isSettled, false);
  pool.step(startNs + 1e6);
  pool.markOpen(0);
  assert.equal(pool.markClosed(1, refused), false);
  assert.equal(pool.isSettled, false);
  pool.markOpen(2);
  assert.equal(pool.isSettled, true);
  assert.deepEqual([pool.opened, pool.failed, pool.lost, pool.openCount], [2, 1, 0, 2]);
  assert.equal(recorder.connect.count, 2);
  // Connections that are lost later do not change what the ramp came to.
  assert.equal(pool.markClosed(0, reset), true);
  assert.deepEqual([pool.isSettled, pool.opened, pool.lost, pool.openCount], [true, 2, 1, 1]);
  assert.deepEqual(pool.failures.counts().map(({ kind, count }) => [kind, count]), [
    ["refused", 1],
    ["reset", 1],
  ]);
  // Nothing is counted twice.
  assert.equal(pool.markClosed(0, reset), false);
  pool.markOpen(1);
  assert.deepEqual([pool.opened, pool.failed, pool.lost, pool.failures.total], [2, 1, 1, 2]);
});

test("step() ends attempts that take longer than the timeout", () => {
  const { pool, terminated } = build(4, { connectsPerSecond: 1e6, timeoutMs: 50 });
  const startNs = nowNs();
  pool.start(startNs);
  pool.step(startNs + 1e6);
  pool.markOpen(1);
  pool.step(startNs + 40e6);
  assert.deepEqual(terminated, []);
  pool.step(nowNs() + 51e6);
  assert.deepEqual(terminated, [0, 2, 3]);
  assert.deepEqual([pool.failed, pool.isSettled], [3, true]);
  assert.equal(pool.failures.counts()[0]!.kind, "timeout");
  // Transports say close after terminate, and perhaps open before: neither counts any more.
  assert.equal(pool.markClosed(0, undefined), false);
  pool.markOpen(2);
  assert.deepEqual([pool.failed, pool.openCount], [3, 1]);
});

test("connect() that fails before it returns is counted", () => {
  const pool: ConnectionPool = new ConnectionPool(
    { connections: 5, connectsPerSecond: 1e6, connectTimeoutNs: 1e9 },
    { connect: (id) => void pool.markClosed(id, refused), terminate() {} },
    new LatencyRecorder(),
  );
  pool.start(0);
  pool.step(1e9);
  assert.deepEqual([pool.failed, pool.isSettled, pool.openCount], [5, true, 0]);
  assert.equal(pool.achievedPerSecond, 0);
});

test("openAt() lists exactly the open connections, whatever comes and goes", () => {
  const connections = 60;
  const { pool, terminated } = build(connections, { connectsPerSecond: 1e9, timeoutMs: 60_000 });
  pool.start(0);
  pool.step(nowNs());
  const random = seededRandom(9);
  const open = new Set<number>();
  const tried = new Set<number>();
  for (let i = 0; i < 2000; i++) {
    const id = Math.floor(random() * connections);
    const choice = random();
    if (choice < 0.5) {
      pool.markOpen(id);
      if (!tried.has(id)) open.add(id);
      tried.add(id);
    } else if (choice < 0.55) {
      assert.equal(pool.markClosed(id, reset), open.delete(id));
      tried.add(id);
    } else if (choice < 0.57) {
      const before = terminated.length;
      pool.abort(id, reset);
      // One that is not open is left alone.
      const wasOpen = open.delete(id);
      assert.equal(terminated.length - before, wasOpen ? 1 : 0);
      if (wasOpen) tried.add(id);
    } else if (choice < 0.6) {
      pool.sortOpen();
      const ids = Array.from({ length: pool.openCount }, (_, place) => pool.openAt(place));
      assert.deepEqual(ids, [...open].sort((a, b) => a - b));
    }
    const listed = new Set(Array.from({ length: pool.openCount }, (_, k) => pool.openAt(k)));
    assert.deepEqual(listed, open);
    assert.equal(pool.openCount, open.size);
    assert.equal(pool.isOpen(id), open.has(id));
  }
  assert.equal(pool.opened, pool.openCount + pool.lost);
});

test("achievedPerSecond is opens by time from the first attempt to the last open", async () => {
  const { pool } = build(3, { connectsPerSecond: 1e6, timeoutMs: 60_000 });
  const startNs = nowNs();
  pool.start(startNs);
  pool.step(startNs + 1e6);
  pool.markOpen(0);
  assert.equal(pool.achievedPerSecond, 0);
  await Bun.sleep(50);
  pool.markOpen(1);
  await Bun.sleep(50);
  pool.markOpen(2);
  const took = (nowNs() - startNs) / 1e9;
  const { achievedPerSecond } = pool;
  assert.ok(achievedPerSecond >= 2 / took - 0.01 && achievedPerSecond < 2 / 0.095);
});

test("nextAttemptNs pauses after each step, and stopOpening() ends the attempts", () => {
  const connected: number[] = [];
  const pool = new ConnectionPool(
    {
      connections: 100,
      connectsPerSecond: 1000,
      connectTimeoutNs: 1e12,
      step: { connections: 10, holdNs: 2e9 },
    },
    { connect: (id) => connected.push(id), terminate() {} },
    new LatencyRecorder(),
  );
  pool.start(0);
  // 10 attempts in 10 ms, then 2 s of nothing.
  pool.step(1e9);
  assert.equal(connected.length, 10);
  assert.equal(pool.nextAttemptNs, 2.01e9);
  pool.step(2.01e9);
  assert.equal(connected.length, 11);
  pool.step(4e9);
  assert.equal(connected.length, 20);
  assert.equal(pool.nextAttemptNs, 4.02e9);
  // 99 attempts after the first, and nine pauses before the last of them.
  assert.ok(Math.abs(pool.plannedPerSecond - 99 / 18.099) < 1e-9);
  for (const id of connected) pool.markOpen(id);
  assert.equal(pool.isSettled, false);
  pool.stopOpening();
  assert.equal(pool.nextAttemptNs, Infinity);
  pool.step(1e12);
  assert.equal(connected.length, 20);
  assert.equal(pool.isSettled, true);
});
