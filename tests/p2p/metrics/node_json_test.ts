import { test } from "bun:test";
import assert from "node:assert/strict";
import { nodeSnapshotToJson } from "../../../lib/p2p/metrics/node_json.ts";
import {
  emptyBroadcastCounts,
  emptyNodeHistograms,
  type ExploreTrial,
} from "../../../lib/p2p/snapshot.ts";
import { Histogram } from "../../../lib/stats/histogram.ts";
import { idleNode, senderCounts } from "./sample_node.ts";

function filledHistogram(): Histogram {
  const histogram = new Histogram();
  for (let value = 1; value <= 100; value++) histogram.record(value * 1000);
  return histogram;
}

function trial(): ExploreTrial {
  return {
    number: 0,
    period: 5,
    messageBytes: 1024,
    heartbeatMs: 10,
    broadcast: emptyBroadcastCounts(),
    received: 100,
    receivedBytes: 102_400,
    pending: 0,
    duplicates: 0,
    lastIndex: 99,
    otherSizes: 0,
    delivery: filledHistogram().pack(),
    negativeDelivery: new Histogram().pack(),
    seconds: 1,
    cpuSeconds: 0.25,
    isComplete: true,
  };
}

test("nodeSnapshotToJson() sums histograms up, and keeps everything else", () => {
  const histograms = { ...emptyNodeHistograms(), delivery: filledHistogram() };
  const snapshot = idleNode({
    histograms,
    senders: [senderCounts(0)],
    explore: { planned: 169, trials: [trial()] },
  });
  const json = JSON.parse(JSON.stringify(nodeSnapshotToJson(snapshot, { encoded: false })));
  const { histograms: summaries, explore, running, verdict: _, ...others } = json;
  const { histograms: _histograms, explore: _explore, running: _running, ...kept } = snapshot;
  assert.deepEqual(others, JSON.parse(JSON.stringify(kept)));
  assert.deepEqual(running, { seconds: 0, cpuShare: null, cpuWaitShare: null });
  assert.deepEqual(Object.keys(summaries), Object.keys(histograms));
  assert.equal(summaries.delivery.count, 100);
  assert.equal(summaries.delivery.maxNs, 100_000);
  assert.equal(summaries.ping.p99Ns, null);
  assert.equal("encoded" in summaries.delivery, false);
  assert.equal(explore.planned, 169);
  assert.equal(explore.trials[0].delivery.p50Ns, histograms.delivery.percentileNs(50));
  assert.equal(explore.trials[0].negativeDelivery.count, 0);
  assert.equal(explore.trials[0].cpuSeconds, 0.25);
});

test("nodeSnapshotToJson() gives all buckets when asked to", () => {
  const histograms = { ...emptyNodeHistograms(), ping: filledHistogram() };
  const snapshot = idleNode({ histograms, explore: { planned: 1, trials: [trial()] } });
  const json = nodeSnapshotToJson(snapshot, { encoded: true });
  for (const { encoded } of [json.histograms.ping, json.explore!.trials[0]!.delivery]) {
    assert.deepEqual(Histogram.decode(encoded!).pack().buckets, histograms.ping.pack().buckets);
  }
});
