import { test } from "bun:test";
import assert from "node:assert/strict";
import { afterWorkerEnd, countsAfterWorkerEnd } from "../../lib/stats/lost_worker.ts";
import { assertBalanced } from "../load/books.ts";
import { clientSnapshot, messages, serverCounts } from "./sample_snapshots.ts";

const end = { pid: 4711, atMs: 1234, reason: "SIGKILL" };

test("afterWorkerEnd() loses what was open and in flight, and keeps the books", () => {
  const waiting = { due: 1010, inFlight: 30, queued: 10, answered: 970 };
  const last = clientSnapshot({
    phase: "steady",
    connections: {
      ...clientSnapshot().connections,
      requested: 100,
      attempted: 90,
      opened: 70,
      failed: 5,
      open: 60,
      lost: 10,
      failures: [{ kind: "reset", count: 10, firstAtMs: 50, firstDetail: "ECONNRESET" }],
    },
    messages: messages(1000, waiting),
    steady: messages(1000, waiting),
    overdue: [{ afterMs: 100, count: 7 }],
    servers: { a: 40, b: 20 },
  });
  const { snapshot, end: told } = afterWorkerEnd(last, end);
  const { connections } = snapshot;
  assert.equal(snapshot.phase, "done");
  assert.deepEqual([connections.open, connections.lost, connections.failed], [0, 70, 20]);
  assert.equal(connections.attempted, connections.opened + connections.failed);
  assert.deepEqual(
    connections.failures.map(({ kind, count, firstAtMs }) => [kind, count, firstAtMs]),
    [
      ["host-worker", 75, 1234],
      ["reset", 10, 50],
    ],
  );
  for (const counts of [snapshot.messages, snapshot.steady]) {
    assertBalanced(counts);
    assert.deepEqual([counts.inFlight, counts.queued], [0, 0]);
    assert.deepEqual([counts.lost.closed, counts.unsent.generatorLate], [30, 10]);
  }
  assert.deepEqual(snapshot.overdue, [{ afterMs: 100, count: 0 }]);
  assert.deepEqual(snapshot.servers, { a: 0, b: 0 });
  assert.deepEqual(told, { ...end, connections: 60, messages: 30 });
  assert.equal(last.connections.open, 60, "the snapshot itself stays as it is");
});

test("countsAfterWorkerEnd() fails what was open on a server", () => {
  const last = serverCounts({ accepted: 100, open: 40, closed: 50, failed: 10 });
  const counts = countsAfterWorkerEnd(last, { atMs: 5, detail: "worker 1 ended" });
  assert.deepEqual([counts.open, counts.failed, counts.accepted], [0, 50, 100]);
  assert.deepEqual(counts.failures, [
    { kind: "host-worker", count: 40, firstAtMs: 5, firstDetail: "worker 1 ended" },
  ]);
  assert.deepEqual(countsAfterWorkerEnd(counts, { atMs: 6, detail: "again" }), counts);
});
