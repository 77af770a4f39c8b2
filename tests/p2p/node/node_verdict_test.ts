import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../../lib/errors.ts";
import { nodeMetrics } from "../../../lib/p2p/node/node_figures.ts";
import { nodeSummary } from "../../../lib/p2p/node/node_summary.ts";
import { judgeNode } from "../../../lib/p2p/node/node_verdict.ts";
import {
  emptyBroadcastCounts,
  emptyNodeHistograms,
  type NodeSnapshot,
} from "../../../lib/p2p/snapshot.ts";
import { evaluate, parseExpectationOf } from "../../../lib/stats/expectations.ts";
import { idleNode, senderCounts } from "../metrics/sample_node.ts";

/** A node that has sent 1000 messages, 2 ms late each, and received most of another's. */
function busyNode(changes: Partial<NodeSnapshot> = {}): NodeSnapshot {
  const histograms = emptyNodeHistograms();
  histograms.lateness.recordMany(2e6, 1000);
  histograms.sendDelay.recordMany(3e6, 1000);
  histograms.delivery.recordMany(5e6, 8);
  return idleNode({
    phase: "done",
    mostPeers: 2,
    broadcast: { ...emptyBroadcastCounts(), due: 1000, sent: 1000, bytes: 1_024_000 },
    senders: [senderCounts(0)],
    histograms,
    running: { seconds: 2.5, cpuShare: 0.4, cpuWaitShare: 0.1 },
    ...changes,
  });
}

const judge = (snapshot: NodeSnapshot, expectations: readonly string[] = [], maxMs = 100) =>
  judgeNode(snapshot, {
    expectations: expectations.map((text) => parseExpectationOf(nodeMetrics, text)),
    maxLatenessP99Ns: maxMs * 1e6,
  });

const dropping = (late: number): NodeSnapshot["broadcast"] => ({
  ...emptyBroadcastCounts(),
  due: 1000,
  sent: 1000 - late,
  dropped: { ...emptyBroadcastCounts().dropped, late },
});

test("judgeNode() finds nothing wrong with a node that kept its plan", () => {
  assert.deepEqual(judge(busyNode()), { kind: "ok", reasons: [], expectations: [] });
  assert.equal(judge(busyNode({ broadcast: dropping(10) })).kind, "ok");
});

test("judgeNode() calls a run invalid that fell behind its plan, with the evidence", () => {
  const { kind, reasons } = judge(busyNode({ broadcast: dropping(11) }));
  assert.equal(kind, "invalid");
  assert.match(reasons[0]!, /of 1,000 messages due, 989 \(98\.9 %\) were sent; dropped: 11 late/);
  assert.match(reasons[1]!, /used 0\.40 of a core, and for 10\.0 % of the time it was ready/);
  const busy = judge(
    busyNode({
      broadcast: dropping(500),
      running: { seconds: 1, cpuShare: 0.99, cpuWaitShare: 0 },
    }),
  );
  assert.match(busy.reasons[1]!, /it had no time left/);
});

test("judgeNode() calls a run invalid in which nothing was due that should have been", () => {
  const nothing = { broadcast: emptyBroadcastCounts() };
  assert.match(judge(busyNode(nothing)).reasons[0]!, /No message of this node was due/);
  assert.equal(judge(busyNode({ ...nothing, interrupted: true })).kind, "ok");
  assert.equal(judge(busyNode({ ...nothing, mode: "one", broadcaster: 0 })).kind, "ok");
});

test("judgeNode() calls a run invalid whose broadcaster was late", () => {
  assert.equal(judge(busyNode(), [], 2.1).kind, "ok");
  const { kind, reasons } = judge(busyNode(), ["delivery.p99<1ms"], 1);
  assert.equal(kind, "invalid");
  assert.match(reasons[0]!, /1 % of the messages up more than 2\.00 ms .* \(allowed: 1\.00 ms/);
});

test("judgeNode() does not blame a broadcaster that explores its limit", () => {
  assert.equal(judge(busyNode({ mode: "explore", broadcast: dropping(900) })).kind, "ok");
});

test("judgeNode() is stopped by the limit where no peer was ever reached", () => {
  const snapshot = busyNode({ mostPeers: 0, senders: [] });
  snapshot.events.dial_failure = 12;
  const { kind, reasons } = judge(snapshot);
  assert.equal(kind, "stopped-by-limit");
  assert.match(reasons[0]!, /None of 2 peers was ever reached; 12 dials failed/);
});

test("judgeNode() tells of restarts, missing peers and clocks that were set", () => {
  const { kind, reasons } = judge(busyNode({
    mostPeers: 1,
    senders: [senderCounts(0, { restarts: 2 })],
    clockSteps: { count: 1, lastNs: -3e9 },
  }));
  assert.equal(kind, "ok");
  assert.match(reasons.join("\n"), /at most 1 of 2 peers were connected/);
  assert.match(reasons.join("\n"), /Node 0 was restarted 2 times; 2 of its messages are pending/);
  assert.match(reasons.join("\n"), /was set once \(last by -3\.00 s\)/);
});

test("judgeNode() sees delays that are negative", () => {
  const { histograms } = busyNode();
  histograms.negativeDelivery.recordMany(3e6, 24);
  histograms.correctedDelivery.recordMany(1e6, 32);
  const skewed = busyNode({ histograms });
  const { kind, reasons } = judge(skewed, ["delivery-corrected.p99<2ms"]);
  assert.equal(kind, "ok");
  assert.match(reasons.join("\n"), /75\.0 % of the one-way delays are negative, down to -3\.00 ms/);
  assert.equal(judge(skewed, ["delivery.negative<1%"]).kind, "expectation-failed");
  assert.equal(judge(skewed, ["delivery.negative==24", "delivery.p50<1ms"]).kind, "invalid");
  const blind = judge(skewed, ["delivery.p99<100ms"]);
  assert.equal(blind.kind, "invalid");
  assert.match(blind.reasons[0]!, /^delivery\.p99<100ms cannot be judged: more than half/);
  const text = nodeSummary(skewed, 100).join("\n");
  assert.match(text, /^delivery +-3\.00 ms +-1\.00 ms +-3\.00 ms +5\.00 ms/m);
  assert.match(text, /^ {2}corrected +1\.00 ms/m);
  assert.match(text, /^negative +24 \(75\.0 %\) of the delivery times/m);
  assert.match(text, /^corrected +100 % of the delays, by the offset/m);
});

test("expectations name what a node knows", () => {
  const holds = (text: string, snapshot = busyNode()) =>
    evaluate(parseExpectationOf(nodeMetrics, text), snapshot).passed;
  for (
    const text of [
      ...["delivery.p99<100ms", "delivery.max>4.9ms", "send-delay.p99<4ms", "lateness.mean<3ms"],
      ...["delivered==8", "delivered>=80%", "lost==2", "lost<=20%", "pending==2", "duplicates==3"],
      ...["out-of-order==1", "restarts==0", "due==1000", "sent==1000", "sent>=100%", "dropped==0"],
      ...["rate.achieved>=99%", "cpu<0.5", "peers==2", "peers>=100%", "refused==0", "resets==0"],
    ]
  ) {
    assert.equal(holds(text), true, text);
  }
  // What was not measured does not pass.
  for (const text of ["lost==0", "delivery.p99<1s", "duplicates==0", "ping.p99<1s", "sent>=99%"]) {
    assert.equal(holds(text, idleNode()), false, text);
  }
  for (const text of ["lost<1000", "pending<1000", "delivered>=1%"]) {
    assert.equal(holds(text, busyNode({ protocol: "sqmr" })), false, text);
  }
  const { kind, reasons } = judge(busyNode(), ["lost==0", "delivery.p99<100ms"]);
  assert.equal(kind, "expectation-failed");
  assert.match(reasons[0]!, /1 of 2 expectations failed \(lost==0: 2\)/);
  assert.throws(
    () => parseExpectationOf(nodeMetrics, "delivry.p99<1ms"),
    (error) => error instanceof UsageError && /did you mean delivery/.test(error.message),
  );
});
