import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../../lib/errors.ts";
import { parseScenario, scenarioNames, scenarioOf } from "../../../lib/wamp/ha/scenario.ts";

test("parseScenario() reads timed steps", () => {
  const text = `
    # a node dies, comes back, and gets its sessions again
    1s    kill node2 node3
    2.5s  return node3
    2.5s  return node2   # at the same time
    4s    rebalance
    5s    cut-link node1 node4
    6s    restore-link node1 node4
    8s    end
  `;
  const { steps, durationMs } = parseScenario("steps.txt", text, 4);
  assert.equal(durationMs, 8000);
  assert.deepEqual(steps, [
    { atMs: 1000, action: "kill", nodes: [2, 3] },
    { atMs: 2500, action: "return", nodes: [3] },
    { atMs: 2500, action: "return", nodes: [2] },
    { atMs: 4000, action: "rebalance", nodes: [] },
    { atMs: 5000, action: "cut-link", nodes: [1, 4] },
    { atMs: 6000, action: "restore-link", nodes: [1, 4] },
  ]);
});

test("parseScenario() says what is wrong with a step, and where", () => {
  const wrong: [string, RegExp][] = [
    ["", /has no steps/],
    ["5 kill node1", /line 1 .*has no unit/],
    ["5s kill", /kill takes a node or more/],
    ["5s kill node5", /"node5" is none of node1 to node4/],
    ["5s kill node1 node1", /names a node twice/],
    ["5s bury node1", /"bury" is none of kill, freeze/],
    ["5s rebalance node1", /rebalance takes no node/],
    ["5s cut-link node1", /cut-link takes two nodes/],
    ["5s kill node1\n4s return node1", /line 2 .*before the line above/],
    ["5s end\n6s kill node1", /line 2 .*before the line above/],
    ["5s return node1", /node1 is not down at 5s/],
    ["5s kill node1\n6s freeze node1", /node1 is down already at 6s/],
  ];
  for (const [text, message] of wrong) {
    assert.throws(
      () => parseScenario("steps.txt", text, 4),
      (error) => error instanceof UsageError && message.test(error.message),
      text,
    );
  }
});

test("scenarioOf() has every scenario for every number of nodes, in the order of time", () => {
  for (const name of scenarioNames) {
    for (const nodes of [2, 3, 4, 9]) {
      const { steps, durationMs } = scenarioOf(name, nodes, false);
      const times = [0, ...steps.map(({ atMs }) => atMs), durationMs];
      assert.deepEqual(times, times.toSorted((a, b) => a - b), name);
      for (const step of steps) {
        assert.ok(step.nodes.every((node) => node >= 1 && node <= nodes), `${name}, ${nodes}`);
      }
    }
  }
  assert.deepEqual(scenarioOf("kill-half", 4, false).steps[0]?.nodes, [2, 3]);
  assert.equal(scenarioOf("rolling-restart", 3, false).steps.length, 6);
  assert.throws(() => scenarioOf("kill-all", 4, false), /kill-node, freeze-node, .*nor a file/);
});

test("scenarioOf() rebalances after the last return", () => {
  const { steps, durationMs } = scenarioOf("return-node", 4, true);
  assert.deepEqual(steps.map(({ action }) => action), ["kill", "return", "rebalance"]);
  assert.ok(durationMs >= steps[2]!.atMs + 5000);
  assert.ok(scenarioOf("kill-node", 4, true).steps.every(({ action }) => action === "kill"));
});
