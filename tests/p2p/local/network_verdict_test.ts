import { test } from "bun:test";
import assert from "node:assert/strict";
import { networkMetrics } from "../../../lib/p2p/local/network_metrics.ts";
import { networkSummary } from "../../../lib/p2p/local/network_summary.ts";
import { judgeNetwork } from "../../../lib/p2p/local/network_verdict.ts";
import type { NetworkSnapshot } from "../../../lib/p2p/local/snapshot.ts";
import { emptyBroadcastCounts } from "../../../lib/p2p/snapshot.ts";
import { parseExpectationOf } from "../../../lib/stats/expectations.ts";
import { Histogram } from "../../../lib/stats/histogram.ts";
import { twoNodes } from "./sample_network.ts";

function judge(changes: Partial<NetworkSnapshot>, ...expectations: string[]) {
  const snapshot = twoNodes({ phase: "done", ...healthy, ...changes });
  const parsed = expectations.map((text) => parseExpectationOf(networkMetrics, text));
  return judgeNetwork(snapshot, { expectations: parsed, maxLatenessP99Ns: 100e6 });
}

const healthy = {
  outages: [],
  broadcast: { ...emptyBroadcastCounts(), due: 100, sent: 100, gone: 0 },
} satisfies Partial<NetworkSnapshot>;

const outage = {
  ...{ node: 1, pid: 99, isPlanned: true, reason: "SIGKILL", downAtMs: 20_000 },
  ...{ startedAtMs: 25_000, backAtMs: 25_800, firstMessageAtMs: 25_700 },
  ...{ missed: 1160, unknown: 3, mostInFlight: 1170 },
};

test("judgeNetwork() is ok where everything went as planned", () => {
  const { kind, reasons } = judge({ deliveries: { ...twoNodes().deliveries, missed: 0 } });
  assert.deepEqual({ kind, reasons }, { kind: "ok", reasons: [] });
});

test("judgeNetwork() says that nothing was timed where a run ended in its warm-up", () => {
  const early = { warmupMs: 12_000, histograms: twoNodes().histograms };
  const ended = judge(early);
  assert.equal(ended.kind, "invalid");
  assert.match(
    ended.reasons[0]!,
    /^No time was measured: .* warm-up, 10\.0 s after .*12\.0 s\)\.$/,
  );
  const interrupted = judge({ ...early, interrupted: true });
  assert.equal(interrupted.kind, "ok");
  assert.match(interrupted.reasons[0]!, /^No time was measured/);
  const [, , time] = networkSummary(twoNodes({ warmupMs: 4000 }));
  assert.match(time!, /^time +6\.0 s of broadcasting after 4\.0 s of warm-up in 12\.5 s$/);
});

test("judgeNetwork() calls losses a result, unless an expectation is about them", () => {
  const lossy = judge({});
  assert.equal(lossy.kind, "ok");
  assert.match(lossy.reasons.join(), /^Of 100 deliveries, 3 \(3\.0 %\) were lost\.$/);
  const { kind, reasons, expectations } = judge({}, "lost<1%", "delivered>=90%");
  assert.equal(kind, "expectation-failed");
  assert.match(reasons[0]!, /^1 of 2 expectations failed \(lost<1%: 5\.0 % \(5\)\)\.$/);
  assert.deepEqual(expectations.map(({ passed }) => passed), [false, true]);
});

test("networkSummary() tells of the copies that gossipsub removed", () => {
  const removed = twoNodes({ removedCopies: 190 });
  assert.match(
    networkSummary(removed).join("\n"),
    /^copies +190 more, which gossipsub removed, 2\.\d\d for each delivery$/m,
  );
  assert.doesNotMatch(networkSummary(twoNodes()).join("\n"), /^copies/m);
});

test("judgeNetwork() sees delays that are negative", () => {
  const { histograms } = twoNodes();
  histograms.negativeDelivery.recordMany(7e6, 10_000);
  const { kind, reasons } = judge({ histograms }, "delivery.negative<=100%");
  assert.equal(kind, "ok");
  assert.match(reasons.join("\n"), /^The clocks of the nodes differ: .* are negative/m);
  assert.equal(judge({ histograms }, "delivery.negative<1%").kind, "expectation-failed");
  assert.equal(judge({ histograms }, "delivery.p99<1s").kind, "invalid");
  const text = networkSummary(twoNodes({ histograms })).join("\n");
  assert.match(text, /^delivery +-7\.00 ms/m);
  assert.match(text, /^negative +10,000 \(/m);
});

test("judgeNetwork() is invalid where the run did not go as planned", () => {
  const late = new Histogram();
  late.record(2e9);
  const { histograms } = twoNodes();
  const dropped = { ...emptyBroadcastCounts().dropped, late: 20 };
  const wrong: readonly [Partial<NetworkSnapshot>, RegExp][] = [
    [{ histograms: { ...histograms, lateness: late } }, /^The broadcasters were late: .* 2\.00 s/],
    [
      { broadcast: { ...emptyBroadcastCounts(), due: 100, sent: 80, dropped, gone: 0 } },
      /^The broadcasters did not keep their plan: of 100 messages due, 20 .*\(20 late\)/,
    ],
    [{ fullMeshAfterMs: NaN }, /^The network was never complete: of 1 peers each/],
    [
      { outages: [{ ...outage, isPlanned: false, reason: "exit code 70 (boom)" }] },
      /^Node 1 of 2 \(pid 99\) ended after 20\.0 s: exit code 70 \(boom\); 1,160 messages/,
    ],
    [{ broadcast: { ...emptyBroadcastCounts(), gone: 0 } }, /^No message was due/],
  ];
  for (const [changes, message] of wrong) {
    const { kind, reasons } = judge(changes, "lost==0");
    assert.equal(kind, "invalid");
    assert.match(reasons[0]!, message);
  }
});

test("judgeNetwork() stops by limit where no node ever met another", () => {
  const nodes = twoNodes().nodes.map((node) => ({ ...node, peers: 0, mostPeers: 0 }));
  const { kind, reasons } = judge({ nodes, fullMeshAfterMs: NaN });
  assert.equal(kind, "stopped-by-limit");
  assert.equal(reasons[0], "No node ever reached another.");
});

test("judgeNetwork() tells what a node missed that was killed", () => {
  const { kind, reasons } = judge({ outages: [outage] });
  assert.equal(kind, "ok");
  assert.equal(
    reasons.at(-1),
    "Node 1 (pid 99) was killed after 20.0 s, started again after 25.0 s and was back in the full " +
      "mesh after 25.8 s: down for 5.8 s. It missed 1,160 messages; of 3 that were due before, it " +
      "is not known whether it had them. Up to 1,170 deliveries to it were pending. The first " +
      "message arrived there after 25.7 s.",
  );
  const down = { ...outage, startedAtMs: NaN, backAtMs: NaN, firstMessageAtMs: NaN, unknown: 0 };
  assert.equal(
    judge({ outages: [down] }).reasons.at(-1),
    "Node 1 (pid 99) was killed after 20.0 s and stayed down. It missed 1,160 messages.",
  );
});

test("an expectation without data fails", () => {
  const { expectations } = judge({ fullMeshAfterMs: NaN }, "mesh<1s", "reach-50.p99<1s");
  assert.deepEqual(expectations.map(({ passed }) => passed), [false, false]);
  assert.throws(() => parseExpectationOf(networkMetrics, "deliverd<1"), /did you mean delivered\?/);
});

test("networkSummary() is at most 100 columns wide and shows what matters", () => {
  const snapshot = twoNodes({ phase: "done" });
  const lines = networkSummary({
    ...snapshot,
    verdict: judgeNetwork(snapshot, { expectations: [], maxLatenessP99Ns: 100e6 }),
  });
  for (const line of lines) assert.ok(line.length <= 100, `${line.length}: ${line}`);
  const text = lines.join("\n");
  assert.match(text, /^holdfast p2p local: 2 nodes, gossipsub$/m);
  assert.match(text, /^load +1 KiB every 5 ms from each of 2 nodes$/m);
  assert.match(text, /^ {2}made +90 +90\.0 %$/m);
  assert.match(text, /^ {2}lost +5 +5\.0 % +3 at nodes that were up, 2 at nodes that were down$/m);
  assert.match(text, /^ {2}not known +1 /m);
});
