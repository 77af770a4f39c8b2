import { test } from "bun:test";
import assert from "node:assert/strict";
import { networkExposition } from "../../../lib/p2p/local/network_exposition.ts";
import { testWith } from "../../programs.ts";
import { labelValues, parsePrometheusText, valueOf } from "../metrics/prometheus_text.ts";
import { twoNodes } from "./sample_network.ts";

test("networkExposition() shows the figures of the snapshot", () => {
  const families = parsePrometheusText(networkExposition(twoNodes()));
  const expected: readonly [name: string, value: number, labels?: Record<string, string>][] = [
    ["phase", 1, { phase: "running" }],
    ["nodes", 2],
    ["full_mesh_seconds", 0.42],
    ["messages_due_total", 110],
    ["messages_sent_total", 100],
    ["messages_queued", 3],
    ["messages_dropped_total", 0, { drop_reason: "all_queues_full" }],
    ["deliveries_expected_total", 100],
    ["deliveries_total", 90],
    ["deliveries_lost_total", 3, { receiver: "up" }],
    ["deliveries_lost_total", 2, { receiver: "down" }],
    ["deliveries_unknown_total", 1],
    ["deliveries_pending", 4],
    ["duplicates_total", 6],
    ["delivery_seconds_count", 90],
    ["delivery_percentile_seconds", 0.09, { percentile: "100" }],
    ["reach_total", 80, { percent: "99" }],
    ["reach_100_seconds_count", 80],
    ["reach_50_seconds_count", 0],
    ["outages_total", 1, { planned: "true" }],
    ["node_state", 1, { node: "1", state: "killed" }],
    ["node_starts_total", 2, { node: "1" }],
    ["node_deliveries_pending", 2, { node: "0" }],
  ];
  for (const [name, value, labels] of expected) {
    assert.equal(valueOf(families, `holdfast_p2p_network_${name}`, labels), value, name);
  }
  assert.ok([...families.keys()].every((name) => name.startsWith("holdfast_p2p_network_")));
});

test("networkExposition() tells of no reach where a message is for one node", () => {
  const families = parsePrometheusText(networkExposition(twoNodes({ reach: [] })));
  assert.deepEqual([...families.keys()].filter((name) => name.includes("reach")), []);
  const nodes = families.get("holdfast_p2p_network_node_peers");
  assert.deepEqual(labelValues(nodes, "node"), ["0", "1"]);
});

testWith(["promtool"])("promtool accepts the text of a network", () => {
  for (const snapshot of [twoNodes(), twoNodes({ reach: [] })]) {
    const { exitCode, stderr, stdout } = Bun.spawnSync(["promtool", "check", "metrics"], {
      stdin: Buffer.from(networkExposition(snapshot)),
      timeout: 30_000,
    });
    assert.equal(exitCode, 0, `${stdout}${stderr}`);
  }
});
