import { test } from "bun:test";
import assert from "node:assert/strict";
import type { LoadGenerator } from "../../lib/load/load_generator.ts";
import type { Load } from "../../lib/load/load_settings.ts";
import { nowNs } from "../../lib/stats/clock.ts";
import { ChildServer } from "./child_server.ts";
import type { DelayingServerReport } from "./delaying_server.ts";
import { runLoad, uniform } from "./load_run.ts";
import { goFirst } from "./priority.ts";

goFirst();

function startServer() {
  return ChildServer.start<DelayingServerReport>("delaying_server.ts", {
    transport: "tcp",
    frameBytes: 32,
    delays: [{ ms: 1, share: 1 }],
  });
}

test("run() begins its plan when it is told to, where it says that its ramp is over", async () => {
  await using server = await startServer();
  let generator: LoadGenerator | undefined;
  const settledNs: number[] = [];
  let beginNs = NaN;
  const { snapshot, books } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: uniform(1000),
    message: 32,
    connections: 5,
    warmupMs: 100,
    durationMs: 300,
    during: (made) => generator = made,
    settled() {
      settledNs.push(nowNs());
      setTimeout(() => {
        assert.equal(generator!.times.phase, "ramp");
        beginNs = nowNs() + 50e6;
        generator!.begin(beginNs);
      }, 200);
    },
  });
  assert.equal(settledNs.length, 1);
  const { steadyStartNs, steadyEndNs } = generator!.times;
  assert.deepEqual([steadyStartNs, steadyEndNs], [beginNs + 100e6, beginNs + 400e6]);
  assert.deepEqual([snapshot.messages.due, snapshot.steady.due], [400, 300]);
  assert.ok(books.messages.every(({ sentNs }) => sentNs >= beginNs));
});

test("run() connects at the instant that it is given", async () => {
  await using server = await startServer();
  const startNs = nowNs() + 300e6;
  const { generator, snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: { kind: "none" },
    message: 32,
    durationMs: 100,
    startNs,
  });
  assert.equal(generator.times.startNs, startNs);
  assert.ok(generator.times.steadyStartNs >= startNs);
  assert.ok(snapshot.elapsedMs < 5000 && snapshot.connections.openingMs! < 2000);
  assert.equal(snapshot.connections.opened, 1);
});

const measured: Record<string, Load> = {
  "an interval": { kind: "interval", intervalMs: 50 },
  "a closed loop": { kind: "inflight", outstanding: 2 },
  "a rate": uniform(1000),
};

for (const [name, load] of Object.entries(measured)) {
  test(`measuresRamp: ${name} is measured while connections open`, async () => {
    await using server = await startServer();
    const { snapshot, books } = await runLoad({
      endpoint: `tcp://127.0.0.1:${server.port}`,
      load,
      message: 32,
      connections: 20,
      connectsPerSecond: 50,
      durationMs: 1000,
      measuresRamp: true,
    });
    const { steady, messages, connections, steadyMs } = snapshot;
    const text = JSON.stringify(messages);
    assert.deepEqual([connections.opened, steadyMs], [20, 1000]);
    assert.deepEqual(messages, steady);
    assert.equal(steady.answered, steady.sent, text);
    // A rate may be due before there is a connection.
    assert.equal(steady.due, steady.sent + steady.unsent.noConnection, text);
    // The first connections have sent for longer than the last.
    const counts = new Map<number, number>();
    for (const { connection } of books.messages) {
      counts.set(connection, (counts.get(connection) ?? 0) + 1);
    }
    assert.equal(counts.size, 20);
    assert.ok(counts.get(0)! > 1.3 * counts.get(19)!, `${counts.get(0)} ${counts.get(19)}`);
  });
}

test("measuresRamp: the run ends on time, with connections not attempted yet", async () => {
  await using server = await startServer();
  const { snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: { kind: "interval", intervalMs: 20 },
    message: 32,
    connections: 1000,
    connectsPerSecond: 20,
    durationMs: 500,
    measuresRamp: true,
  });
  const { attempted, opened } = snapshot.connections;
  // The last one may have been attempted at the very end.
  const isOnTime = attempted >= 8 && attempted <= 11 && opened >= attempted - 1;
  assert.ok(isOnTime, `${attempted} ${opened}`);
  assert.equal(snapshot.steadyMs, 500);
  assert.equal(snapshot.steady.answered, snapshot.steady.due);
});
