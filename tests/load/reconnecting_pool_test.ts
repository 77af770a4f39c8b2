import { test } from "bun:test";
import assert from "node:assert/strict";
import { Backoff } from "../../lib/load/backoff.ts";
import { ConnectionPool } from "../../lib/load/connection_pool.ts";
import { LatencyRecorder } from "../../lib/load/latency_recorder.ts";
import type { PoolEvents, PoolSettings } from "../../lib/load/pool_settings.ts";
import { nowNs } from "../../lib/stats/clock.ts";
import type { Failure } from "../../lib/stats/failure.ts";

const reset: Failure = { kind: "reset", detail: "ECONNRESET" };
const refused: Failure = { kind: "refused", detail: "ECONNREFUSED" };

/** A pool without a network: the test says what becomes of attempts. */
class Scene implements PoolEvents {
  readonly connected: number[] = [];
  readonly terminated: number[] = [];
  readonly told: string[] = [];
  readonly recorder = new LatencyRecorder();
  readonly pool: ConnectionPool;

  constructor(connections: number, changes: Partial<PoolSettings> = {}) {
    this.pool = new ConnectionPool(
      {
        connections,
        connectsPerSecond: 1e6,
        connectTimeoutNs: 60e9,
        backoff: new Backoff({ firstMs: 50, lastMs: 1600 }, 42),
        ...changes,
      },
      {
        connect: (id) => this.connected.push(id),
        terminate: (id) => this.terminated.push(id),
      },
      this.recorder,
      this,
    );
  }

  /** All are open at once. */
  static open(connections: number, changes: Partial<PoolSettings> = {}): Scene {
    const scene = new Scene(connections, changes);
    const atNs = nowNs();
    scene.pool.start(atNs - 10e9);
    for (let i = 0; i < connections; i += 256) scene.pool.step(atNs);
    for (let id = 0; id < connections; id++) scene.pool.markOpen(id);
    assert.equal(scene.pool.openCount, connections);
    scene.connected.length = scene.told.length = 0;
    return scene;
  }

  down(id: number): void {
    this.told.push(`down ${id}`);
  }
  back(id: number): void {
    this.told.push(`back ${id}`);
  }
  attemptFailed(): void {
    this.told.push("failed");
  }
  entered(id: number): void {
    this.told.push(`entered ${id}`);
  }
  left(id: number): void {
    this.told.push(`left ${id}`);
  }
}

test("step() opens a lost connection again after its wait, and not before", () => {
  const { pool, connected, told } = Scene.open(3);
  const waitNs = new Backoff({ firstMs: 50, lastMs: 1600 }, 42).waitNs(1, 0);
  const lostNs = nowNs();
  assert.equal(pool.markClosed(1, reset), true);
  assert.ok(pool.isDown(1) && !pool.isOpen(1) && pool.downCount === 1);
  assert.ok(pool.nextAttemptNs >= lostNs + waitNs);
  pool.step(lostNs + waitNs - 1e3);
  assert.deepEqual(connected, []);
  pool.step(nowNs() + waitNs);
  assert.deepEqual(connected, [1]);
  assert.ok(pool.isDown(1));
  pool.markOpen(1);
  assert.deepEqual(told, ["down 1", "left 1", "entered 1", "back 1"]);
  assert.deepEqual([pool.attempted, pool.opened, pool.lost, pool.failed], [4, 4, 1, 0]);
  assert.deepEqual([pool.reopened, pool.recycled, pool.downCount, pool.openCount], [1, 0, 0, 3]);
  assert.equal(pool.nextAttemptNs, Infinity);
});

test("waits grow with failures, and with connections that end as soon as they open", async () => {
  const backoff = new Backoff({ firstMs: 1, lastMs: 30 }, 42);
  const { pool, connected, told } = Scene.open(1, { backoff });
  /** Ends it, and checks when it comes again. */
  const endsBeforeTry = async (tryNumber: number, failure: Failure) => {
    const beforeNs = nowNs();
    pool.markClosed(0, failure);
    const waitNs = backoff.waitNs(0, tryNumber);
    const dueNs = pool.nextAttemptNs;
    assert.ok(dueNs >= beforeNs + waitNs && dueNs <= nowNs() + waitNs, String(tryNumber));
    while (nowNs() < dueNs) await Bun.sleep(1);
    pool.step(nowNs());
    assert.equal(connected.length, tryNumber + 1);
  };
  await endsBeforeTry(0, reset);
  for (let tryNumber = 1; tryNumber < 9; tryNumber++) await endsBeforeTry(tryNumber, refused);
  assert.equal(told.filter((what) => what === "failed").length, 8);
  assert.equal(told.filter((what) => what === "down 0").length, 1);
  assert.deepEqual([pool.failed, pool.lost], [8, 1]);
  pool.markOpen(0);
  await endsBeforeTry(9, reset);
  assert.deepEqual([pool.failed, pool.lost], [8, 2]);
});

test("a connection that outlasted its longest wait begins with the first wait again", async () => {
  const backoff = new Backoff({ firstMs: 5, lastMs: 20 }, 1);
  const { pool } = Scene.open(1, { backoff });
  pool.markClosed(0, reset);
  for (let i = 0; i < 4; i++) {
    pool.step(pool.nextAttemptNs);
    pool.markClosed(0, refused);
  }
  pool.step(pool.nextAttemptNs);
  pool.markOpen(0);
  await Bun.sleep(40);
  const lostNs = nowNs();
  pool.markClosed(0, reset);
  assert.ok(pool.nextAttemptNs - lostNs < backoff.ceilingNs(0) + 5e6);
});

test("step() keeps all attempts together to the connect rate", () => {
  const connections = 1000;
  const scene = Scene.open(connections, { connectsPerSecond: 500 });
  const { pool, connected } = scene;
  for (let id = 0; id < connections; id++) pool.markClosed(id, reset);
  const startNs = nowNs();
  const atMs: number[] = [];
  for (let ms = 0; ms < 4000; ms++) {
    const before = connected.length;
    pool.step(startNs + ms * 1e6);
    for (let i = before; i < connected.length; i++) {
      atMs.push(ms);
      // Nobody is there at first.
      if (ms < 1500) pool.markClosed(connected[i]!, refused);
      else pool.markOpen(connected[i]!);
    }
  }
  assert.equal(pool.openCount, connections);
  // Never more in a tenth of a second than the rate has in it.
  for (let i = 0; i + 51 < atMs.length; i++) assert.ok(atMs[i + 51]! - atMs[i]! >= 100, String(i));
  // Nor less than it could be while there is something to do.
  const inFirstSeconds = atMs.filter((ms) => ms >= 500 && ms < 1500).length;
  assert.ok(inFirstSeconds > 490, String(inFirstSeconds));
});

test("retries and first attempts take turns", () => {
  const { pool, connected } = new Scene(1000, {
    connectsPerSecond: 1000,
    backoff: new Backoff({ firstMs: 1, lastMs: 1 }, 1),
  });
  const startNs = nowNs();
  pool.start(startNs);
  for (let ms = 0; ms < 400; ms++) {
    const before = connected.length;
    pool.step(startNs + ms * 1e6);
    for (let i = before; i < connected.length; i++) pool.markClosed(connected[i]!, refused);
  }
  const distinct = new Set(connected).size;
  assert.ok(Math.abs(connected.length - 400) <= 1);
  // Half of the attempts are first ones, although more retries than that are always due.
  assert.ok(distinct > 190 && distinct < 210, String(distinct));
  assert.equal(pool.attempted, pool.failed);
  assert.equal(pool.isSettled, false);
});

test("an id is used again when the transport has told its end, and not before", () => {
  const { pool, connected, terminated } = Scene.open(2, { connectTimeoutNs: 10e6 });
  pool.abort(0, reset);
  assert.deepEqual(terminated, [0]);
  pool.step(nowNs() + 200e6);
  assert.deepEqual(connected, []);
  assert.equal(pool.markClosed(0, undefined), false);
  pool.step(nowNs() + 400e6);
  assert.deepEqual(connected, [0]);
  // An attempt that takes too long is ended, and comes again too.
  pool.step(nowNs() + 600e6);
  assert.deepEqual(terminated, [0, 0]);
  assert.deepEqual([pool.lost, pool.failed], [1, 1]);
  pool.markClosed(0, undefined);
  pool.step(nowNs() + 1200e6);
  assert.deepEqual(connected, [0, 0]);
});

test("where opening reaches nobody, a connection is back with its first answer", () => {
  const { pool, told } = Scene.open(2, { needsProof: true });
  pool.markClosed(0, refused);
  pool.step(nowNs() + 1e9);
  pool.markOpen(0);
  assert.ok(pool.isOpen(0));
  assert.deepEqual([pool.opened, told.includes("back 0")], [2, false]);
  // It is turned away once more: that attempt has failed, and was no connection that was lost.
  assert.equal(pool.markClosed(0, refused), true);
  assert.deepEqual([pool.lost, pool.failed, pool.downCount], [1, 1, 1]);
  pool.step(nowNs() + 2e9);
  pool.markOpen(0);
  pool.prove(0);
  pool.prove(0);
  assert.deepEqual([pool.opened, pool.reopened, pool.downCount], [3, 1, 0]);
  assert.deepEqual(told, ["down 0", "left 0", "failed", "entered 0", "back 0"]);
});

test("retire() and its close are neither a loss nor an outage", () => {
  const { pool, connected, told, recorder } = Scene.open(3, { recycles: true });
  assert.equal(pool.retire(1), true);
  assert.equal(pool.retire(1), false);
  assert.ok(!pool.isOpen(1) && pool.isLeaving(1) && !pool.isDown(1));
  assert.deepEqual([pool.openCount, pool.leavingCount], [2, 1]);
  pool.markClosed(1, undefined);
  // Also while it is not open again, as where no source port is left for it.
  assert.equal(pool.openCount + pool.leavingCount, pool.opened - pool.lost - pool.recycled);
  pool.step(nowNs());
  assert.deepEqual(connected, [1]);
  assert.equal(pool.isDown(1), false);
  pool.markOpen(1);
  assert.deepEqual([pool.lost, pool.recycled, pool.reopened, pool.leavingCount], [0, 1, 1, 0]);
  assert.equal(recorder.reconnect.count, 1);
  assert.deepEqual(told, ["left 1", "entered 1"]);
  // One that ends by itself while it leaves is lost.
  pool.retire(2);
  pool.markClosed(2, reset);
  assert.deepEqual([pool.lost, pool.leavingCount, told.at(-2)], [1, 0, "down 2"]);
});
