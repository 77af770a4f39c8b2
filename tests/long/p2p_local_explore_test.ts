import { test } from "bun:test";
import assert from "node:assert/strict";
import { assertClosed, runLocal } from "../p2p/local/local_run.ts";

test("p2p local explores on all nodes in step, and drops the network in between", async () => {
  using outcome = await runLocal({
    ...{ numNodes: 3, mode: "explore", broadcaster: 1, maxLatenessMs: 10_000 },
    ...{ runSeconds: 2, coolDownSeconds: 4, durationMs: 21_000 },
  });
  const { result, out, exitCode } = outcome;
  assert.equal(exitCode, 0, out);
  assertClosed(result);
  assert.equal(result.deliveries.late, 0, "nothing comes in a later trial");
  const { planned, trials } = result.explore!;
  assert.equal(planned, 169);
  assert.deepEqual(
    trials.map(({ messageBytes, heartbeatMs }) => [messageBytes, heartbeatMs]),
    [[1024, 10], [2048, 20], [4096, 40], [16_384, 150]],
  );
  for (const { broadcast, counts, isSustained, complete } of trials.slice(0, 3)) {
    assert.equal(complete, 3);
    assert.equal(broadcast.due, broadcast.sent);
    assert.equal(counts.sent, broadcast.sent);
    assert.equal(counts.delivered, 2 * counts.sent);
    assert.equal(isSustained, true, out);
  }
  assert.equal(trials[0]!.broadcast.due, 200);
  assert.match(out, /^16 KiB +150 ms .* cut short$/m);
  assert.match(out, /The highest sustained combination is /);
}, 90_000);

test("p2p local starts nodes one by one into a full mesh", async () => {
  using outcome = await runLocal({
    ...{ numNodes: 5, staggerMs: 1000, heartbeatMs: 20, durationMs: 2000, maxLatenessMs: 10_000 },
    expectations: ["delivered==100%"],
  });
  const { result, out, exitCode } = outcome;
  assert.equal(exitCode, 0, out);
  assertClosed(result);
  assert.equal(result.deliveries.sent, 500);
  assert.ok(result.fullMeshAfterMs! >= 4000, out);
}, 90_000);

test("p2p local ends in order while a node is started again", async () => {
  // It is killed so late that its next process is not ready when the run ends, or just so.
  for (const restartAfterMs of [0, 100, 300, 500, 700, 900]) {
    using outcome = await runLocal({
      ...{ numNodes: 3, heartbeatMs: 20, durationMs: 1500, maxLatenessMs: 10_000 },
      ...{ killedNodes: [2], killAtMs: 600, restartAfterMs },
    });
    const { result, out, exitCode, notes } = outcome;
    assert.equal(exitCode, 0, out);
    assertClosed(result);
    assert.equal(result.outages.length, 1, out);
    assert.doesNotMatch(notes, /could not|ended after/);
  }
}, 90_000);
