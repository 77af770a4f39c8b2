import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../../lib/errors.ts";
import { explorePlan } from "../../../lib/p2p/explore_plan.ts";
import { isSustainedHere } from "../../../lib/p2p/explore_result.ts";
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
  const tried = explorePlan({ ...explore, minThroughputBytesPerSecond: 100_000 });
  const firstPeriod = nextPeriod();
  const view = {
    protocol: "gossipsub" as const,
    nodeId: 0,
    numNodes: 3,
    broadcasterId: 0,
    runSeconds: explore.runSeconds,
  };
  const messagesIn: Map<number, Set<number>>[] = [0, 1, 2].map(() => new Map());
  const trialOf = [0, 0, 0];
  const nodes = await startNodes(3, {
    mode: "explore",
    broadcaster: 0,
    explore: { ...explore, minThroughputBytesPerSecond: 100_000 },
    exploreFirstPeriod: firstPeriod,
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
    const sustained = () =>
      trials().map((list, nodeId) =>
        list.filter((trial) => isSustainedHere(trial, { ...view, nodeId })).map(({ number }) =>
          number
        )
      );
    // A machine that is busy with other things may spoil one of them.
    const inCommon = () => sustained().reduce((a, b) => a.filter((number) => b.includes(number)));
    await until(() => inCommon().length >= 2, "two trials that are sustained", 30_000);
    await Promise.all(nodes.map((node) => node.finish()));
    for (const [nodeId, list] of trials().entries()) {
      const snapshot = nodes[nodeId]!.snapshot();
      const { resets } = snapshot;
      assert.ok(resets >= 1 && resets >= list.length - 1 && resets <= list.at(-1)!.number + 1);
      for (const trial of list) {
        const { number, period, messageBytes, heartbeatMs } = trial;
        const combination = tried[number]!;
        assert.deepEqual([messageBytes, heartbeatMs], [
          combination.messageBytes,
          combination.heartbeatMs,
        ]);
        assert.equal(period - number, firstPeriod);
        const asked = Math.ceil((explore.runSeconds * 1000) / heartbeatMs);
        assert.ok(trial.broadcast.due <= (nodeId === 0 ? asked : 0));
        assert.equal(trial.otherSizes, 0);
        const indices = [...messagesIn[nodeId]!.get(number) ?? []];
        // Indices begin at 0 in each trial.
        assert.ok(indices.every((index) => index < asked));
        if (!inCommon().includes(number)) continue;
        assert.equal(trial.broadcast.sent, nodeId === 0 ? asked : 0);
        assert.equal(trial.received, nodeId === 0 ? 0 : asked);
        assert.equal(indices.length, trial.received);
        assert.equal(trial.lastIndex, trial.received - 1);
      }
    }
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

test("BroadcastNode.stop() leaves no network behind that is being built", async () => {
  let stopping: Promise<void> | undefined;
  const node: BroadcastNode = await BroadcastNode.start(
    nodeSettings({
      mode: "explore",
      broadcaster: 0,
      explore: { ...explore, runSeconds: 0.1, coolDownSeconds: 0.1 },
    }),
    { reset: () => setTimeout(() => stopping = node.stop()) },
  );
  await until(() => stopping !== undefined, "a reset");
  await stopping;
  const port = Number(/tcp\/(\d+)/.exec(node.addresses[0]!)![1]);
  Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
  assert.equal(node.snapshot().phase, "done");
}, 20_000);
