import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  askedMessages,
  exploreTable,
  highestSustained,
  resultHere,
  type TrialView,
} from "../../lib/p2p/explore_result.ts";
import { emptyBroadcastCounts, type ExploreTrial } from "../../lib/p2p/snapshot.ts";
import { Histogram } from "../../lib/stats/histogram.ts";

const receiver: TrialView = {
  protocol: "gossipsub",
  nodeId: 1,
  numNodes: 3,
  broadcasterId: 0,
  runSeconds: 2,
};

/** A trial of 1 KiB every 10 ms for 2 s, of which everything came after 3 ms. */
function trialOf(changes: Partial<ExploreTrial> = {}): ExploreTrial {
  const delivery = new Histogram();
  delivery.recordMany(3e6, 200);
  return {
    number: 0,
    period: 7,
    messageBytes: 1024,
    heartbeatMs: 10,
    broadcast: emptyBroadcastCounts(),
    received: 200,
    receivedBytes: 200 * 1024,
    pending: 0,
    duplicates: 0,
    lastIndex: 199,
    otherSizes: 0,
    delivery: delivery.pack(),
    negativeDelivery: new Histogram().pack(),
    seconds: 4,
    cpuSeconds: 1,
    isComplete: true,
    ...changes,
  };
}

test("askedMessages() counts what the plan asks for", () => {
  assert.equal(askedMessages({ messageBytes: 1, heartbeatMs: 10 }, 2), 200);
  assert.equal(askedMessages({ messageBytes: 1, heartbeatMs: 150 }, 2), 14);
});

test("resultHere() of a receiver is what it received of what was asked", () => {
  const result = resultHere(trialOf(), receiver);
  assert.equal(result.deliveredShare, 1);
  assert.equal(result.deliveredBytesPerSecond, 102_400);
  assert.equal(result.cpuShare, 0.25);
  assert.equal(result.isSustained, true);
  assert.ok(Math.abs(result.delivery.percentileNs(99) - 3e6) < 1e4);
});

test("resultHere() calls nothing sustained that is not", () => {
  const isSustained = (changes: Partial<ExploreTrial>) =>
    resultHere(trialOf(changes), receiver).isSustained;
  assert.equal(isSustained({ received: 199 }), false);
  assert.equal(isSustained({ pending: 1 }), false);
  assert.equal(isSustained({ isComplete: false }), false);
  assert.equal(isSustained({ otherSizes: 1 }), false);
  assert.equal(isSustained({ heartbeatMs: 1, received: 1998 }), true);
  assert.equal(isSustained({ heartbeatMs: 1, received: 1997 }), false);
});

test("resultHere() of the broadcaster knows what it sent, and not what arrived", () => {
  const broadcaster = { ...receiver, nodeId: 0 };
  const sent = (count: number) =>
    resultHere(
      trialOf({ broadcast: { ...emptyBroadcastCounts(), due: 200, sent: count }, received: 0 }),
      broadcaster,
    );
  assert.equal(sent(200).isSustained, true);
  assert.equal(sent(199).isSustained, false);
  assert.ok(Number.isNaN(sent(200).deliveredShare));
});

test("resultHere() takes a node's part of what sqmr sends to one each", () => {
  const view = { ...receiver, protocol: "sqmr" as const };
  assert.equal(resultHere(trialOf({ received: 100, pending: 99 }), view).isSustained, true);
  assert.equal(resultHere(trialOf({ received: 99, pending: 99 }), view).isSustained, false);
});

test("exploreTable() names the highest sustained combination", () => {
  const results = [
    resultHere(trialOf(), receiver),
    resultHere(trialOf({ messageBytes: 4096, receivedBytes: 200 * 4096 }), receiver),
    resultHere(trialOf({ messageBytes: 8192, received: 20, pending: 100 }), receiver),
  ];
  assert.equal(highestSustained(results), results[1]);
  const table = exploreTable(results);
  assert.equal(table.length, 5);
  assert.match(
    table[1]!,
    /^ *1 KiB +10 ms +102 kB\/s +102 kB\/s +100 % +0 +3\.00 ms +3\.00 ms +0\.25 +yes$/,
  );
  assert.match(table[3]!, /10\.0 % +100 .* no$/);
  assert.equal(table[4], "highest sustained: 4 KiB every 10 ms, 410 kB/s");
  assert.ok(table.every((line) => line.length <= 100));
  assert.match(exploreTable([results[2]!]).at(-1)!, /no combination was sustained/);
  assert.match(exploreTable([]).at(-1)!, /no combination was tried to its end/);
});
