import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../../lib/errors.ts";
import { commandLineOf } from "../../../lib/options/command_line.ts";
import { planOf, receiversEach } from "../../../lib/p2p/local/network_plan.ts";
import { nodeIds } from "../../../lib/p2p/local/node_ids.ts";
import { localRows, type LocalSettings } from "../../../lib/p2p/local/options.ts";
import { protocolList } from "../../../lib/p2p/local/protocol_list.ts";

const plan = (changes: Partial<LocalSettings> = {}) =>
  planOf(commandLineOf(localRows, [], changes));

test("planOf() fills in what is not given", () => {
  const { protocols, broadcaster, durationMs, kill, metricPorts, combinations } = plan();
  assert.deepEqual({ protocols, broadcaster, durationMs, kill, metricPorts, combinations }, {
    ...{ protocols: ["gossipsub"], broadcaster: undefined, durationMs: 30_000 },
    ...{ kill: undefined, metricPorts: undefined, combinations: 0 },
  });
  assert.equal(plan({ mode: "one" }).broadcaster, 0);
  assert.equal(plan({ mode: "one", broadcaster: 3 }).broadcaster, 3);
  assert.equal(plan({ timeoutSeconds: 7 }).durationMs, 7000);
  assert.deepEqual(plan({ firstMetricPort: 2000, numNodes: 2 }).metricPorts, [2000, 2001]);
  assert.equal(new Set(plan({ prometheusFile: "p.yml" }).metricPorts).size, 5);
});

test("planOf() puts the warm-up before the duration", () => {
  const { warmupMs, durationMs } = plan({ warmupMs: 5000, durationMs: 10_000 });
  assert.deepEqual([warmupMs, durationMs], [5000, 15_000]);
  assert.equal(plan({ warmupMs: 5000, timeoutSeconds: 7 }).durationMs, 12_000);
  assert.equal(plan({ warmupMs: 2000, killedNodes: [1], killAtMs: 31_000 }).kill?.atMs, 31_000);
});

test("planOf() counts the combinations that every protocol carries", () => {
  const explore = plan({ mode: "explore" });
  assert.deepEqual([explore.combinations, explore.durationMs], [169, Infinity]);
  const { combinations } = plan({ mode: "explore", compared: ["gossipsub", "sqmr"] });
  assert.ok(combinations < 169);
  assert.equal(combinations, plan({ mode: "explore", protocol: "sqmr" }).combinations);
});

test("planOf() refuses what cannot be", () => {
  const wrong: readonly [Partial<LocalSettings>, RegExp][] = [
    [{ messageBytes: 35 }, /no room for the header; write 36 or more/],
    [{ messageBytes: 4 * 2 ** 20 + 1 }, /gossipsub carries messages up to 4194304 bytes/],
    [{ messageBytes: 2 ** 20 + 1, protocol: "sqmr" }, /sqmr carries messages up to 1048576 bytes/],
    [{ messageBytes: 2 ** 21, compared: ["gossipsub", "reversed-sqmr"] }, /reversed-sqmr carries/],
    [{ mode: "one", broadcaster: 5 }, /--broadcaster 5: there is no such node; 5 nodes have/],
    [{ killedNodes: [1, 5], killAtMs: 1000 }, /--kill 5: there is no such node/],
    [{ killedNodes: [1], killAtMs: 30_000 }, /--at 30s is not before the end of the run, 30s/],
    [{ firstPort: 65_532 }, /--p2p-port 65532 leaves no ports for 5 nodes/],
    [{ firstMetricPort: 65_532 }, /--metric-port 65532 leaves no ports/],
    [{ compared: ["sqmr", "gossipsub"], protocol: "sqmr" }, /contradict each other/],
    [{ forwarding: "at-once", protocol: "sqmr" }, /--forwarding: sqmr forwards nothing/],
    [{ mode: "explore", minMessageBytes: 2 ** 23 }, /explore has nothing to try/],
  ];
  for (const [changes, message] of wrong) {
    assert.throws(() => plan(changes), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, message);
      return true;
    });
  }
  assert.equal(plan({ messageBytes: 36 }).messageBytes, 36);
  assert.equal(plan({ firstPort: 65_531 }).firstPort, 65_531);
});

test("receiversEach() is one node in SQMR, all others elsewhere", () => {
  assert.deepEqual(
    (["gossipsub", "sqmr", "reversed-sqmr"] as const).map((each) => receiversEach(each, 7)),
    [6, 1, 6],
  );
});

test("the kinds of its options read what they write, and refuse the rest", () => {
  assert.deepEqual(nodeIds.parse("3, 0,12"), [3, 0, 12]);
  assert.equal(nodeIds.format([3, 0, 12]), "3,0,12");
  for (const text of ["", "a", "1,", "-1", "1,1", "1.5"]) {
    assert.throws(() => nodeIds.parse(text), UsageError, text);
  }
  assert.deepEqual(protocolList.parse("SQMR,gossipsub"), ["sqmr", "gossipsub"]);
  for (const text of ["sqmr", "sqmr,sqmr", "sqmr,tcp", ""]) {
    assert.throws(() => protocolList.parse(text), UsageError, text);
  }
});
