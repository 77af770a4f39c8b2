import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../../lib/errors.ts";
import { explorePlan } from "../../../lib/p2p/explore_plan.ts";
import { exploreTable, highestSustained, resultHere } from "../../../lib/p2p/explore_result.ts";
import { sumOverSenders, totalRefused } from "../../../lib/p2p/snapshot.ts";
import { BroadcastNode } from "../../../lib/p2p/node/broadcast_node.ts";
import { nodeSettings, startNodes, until } from "./networks.ts";

const explore = {
  runSeconds: 0.5,
  coolDownSeconds: 1,
  minThroughputBytesPerSecond: 0,
  minMessageBytes: 0,
  stopsAtLimit: false,
};

/** The first period that all nodes can be in step for. */
const nextPeriod = () => Math.ceil((Date.now() / 1000 + 0.7) / 1.5);

test("ExploreRun walks its table in step and drops the network in between", async () => {
  const plan = explorePlan({ ...explore, minMessageBytes: 0 });
  const messagesIn: Map<number, Set<number>>[] = [0, 1, 2].map(() => new Map());
  const trialOf = [0, 0, 0];
  const nodes = await startNodes(3, {
    mode: "explore",
    broadcaster: 0,
    explore: { ...explore, minThroughputBytesPerSecond: 100_000 },
    exploreFirstPeriod: nextPeriod(),
  }, (nodeId) => ({
    reset: (nextTrial) => trialOf[nodeId] = nextTrial,
    received: (_, index) => {
      const trial = trialOf[nodeId]!;
      const seen = messagesIn[nodeId]!.get(trial) ?? new Set();
      seen.add(index);
      messagesIn[nodeId]!.set(trial, seen);
    },
    duplicated: () => assert.fail("a message came twice"),
  }));
  try {
    const trials = () => nodes.map((node) => node.snapshot().explore!.trials);
    await until(() => trials().every((list) => list.length >= 3), "three trials");
    await Promise.all(nodes.map((node) => node.finish()));
    const tried = explorePlan({ ...explore, minThroughputBytesPerSecond: 100_000 });
    assert.ok(tried.length < plan.length);
    for (const [nodeId, list] of trials().entries()) {
      const snapshot = nodes[nodeId]!.snapshot();
      assert.ok(snapshot.resets >= 2 && snapshot.resets <= 3);
      assert.equal(totalRefused(snapshot.received), 0);
      assert.equal(sumOverSenders(snapshot.senders, "abandoned"), 0);
      for (const trial of list.slice(0, 3)) {
        const { messageBytes, heartbeatMs } = tried[trial.number]!;
        assert.deepEqual([trial.messageBytes, trial.heartbeatMs], [messageBytes, heartbeatMs]);
        const asked = Math.ceil(500 / heartbeatMs);
        assert.equal(trial.broadcast.due, nodeId === 0 ? asked : 0);
        assert.equal(trial.broadcast.sent, trial.broadcast.due);
        assert.equal(trial.otherSizes, 0);
        assert.equal(trial.isComplete, true);
        assert.equal(trial.pending, 0);
        if (nodeId === 0) continue;
        assert.equal(trial.received, asked);
        // Indices begin at 0 in each trial.
        assert.equal(trial.lastIndex, asked - 1);
        assert.equal(messagesIn[nodeId]!.get(trial.number)!.size, asked);
      }
      assert.deepEqual(
        list.slice(0, 3).map(({ period }) => period - list[0]!.period),
        [0, 1, 2],
      );
    }
    const view = {
      protocol: "gossipsub" as const,
      nodeId: 1,
      numNodes: 3,
      broadcasterId: 0,
      runSeconds: explore.runSeconds,
    };
    const results = trials()[1]!.slice(0, 3).map((trial) => resultHere(trial, view));
    assert.ok(results.every(({ isSustained }) => isSustained));
    assert.equal(highestSustained(results), results[2]);
    const table = exploreTable(results);
    assert.equal(table.length, 5);
    assert.match(table[1]!, /^ *1,024 B +10 ms +102 kB\/s +102 kB\/s +100 % +0 /);
    assert.match(table[4]!, /^highest sustained: 4,096 B every 40 ms, 102 kB\/s$/);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}, 40_000);

test("ExploreRun ends at the first combination that is not sustained", async () => {
  // Nobody is there to receive.
  const node = await BroadcastNode.start(nodeSettings({
    mode: "explore",
    broadcaster: 0,
    numNodes: 2,
    explore: { ...explore, runSeconds: 0.2, coolDownSeconds: 0.2, stopsAtLimit: true },
  }));
  try {
    await node.planned;
    const { explore: progress, phase } = node.snapshot();
    assert.equal(progress!.trials.length, 1);
    assert.equal(progress!.planned, 208);
    assert.equal(phase, "cool-down");
  } finally {
    await node.stop();
  }
}, 20_000);

test("BroadcastNode.start() refuses to explore nothing", async () => {
  await assert.rejects(
    BroadcastNode.start(nodeSettings({
      mode: "explore",
      broadcaster: 0,
      explore: { ...explore, minMessageBytes: 2 ** 23 },
    })),
    UsageError,
  );
});
