import { test } from "bun:test";
import assert from "node:assert/strict";
import type { DeliveryCounts } from "../../../lib/p2p/local/delivery_counts.ts";
import { reachShares } from "../../../lib/p2p/local/delivery_figures.ts";
import { DeliveryLedger } from "../../../lib/p2p/local/delivery_ledger.ts";
import { NodeOutages } from "../../../lib/p2p/local/node_outages.ts";
import type { Histogram } from "../../../lib/stats/histogram.ts";
import { seededRandom } from "../../stats/seeded_random.ts";
import { ReferenceBooks } from "./reference_books.ts";

function ledgerOf(
  nodes: number,
  settings: { receiversEach?: number; maxMessages?: number; measuredFromNs?: number } = {},
) {
  const outages = new NodeOutages(nodes);
  const ledger = new DeliveryLedger({ nodes, receiversEach: nodes - 1, outages, ...settings });
  return { outages, ledger };
}

function assertBalanced(counts: DeliveryCounts): void {
  const { expected, delivered, missed, missedWhileDown, unknown, inFlight } = counts;
  assert.equal(delivered + missed + missedWhileDown + unknown + inFlight, expected);
}

function assertHolds(histogram: Histogram, valuesNs: readonly number[]): void {
  assert.equal(histogram.count, valuesNs.length);
  if (valuesNs.length === 0) return;
  assert.equal(histogram.minNs, Math.min(...valuesNs));
  assert.equal(histogram.maxNs, Math.max(...valuesNs));
  assert.equal(histogram.sumNs, valuesNs.reduce((sum, value) => sum + value, 0));
}

test("the books equal those of an exact reference, at every step", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seededRandom(seed);
    const whole = (below: number) => Math.floor(random() * below);
    const nodes = 2 + whole(6);
    const { ledger, outages } = ledgerOf(nodes);
    const reference = new ReferenceBooks(nodes);
    const dueNs: number[] = [];
    let nowNs = 0;
    for (let step = 0; step < 400; step++) {
      nowNs += 1 + whole(1000);
      const event = random();
      if (event < 0.01) {
        const node = whole(nodes);
        const last = reference.downs.findLast((down) => down.node === node);
        if (last === undefined || last.backNs < Infinity) {
          reference.downs.push({ node, downNs: nowNs, startedNs: Infinity, backNs: Infinity });
          outages.down(node, nowNs);
        } else if (last.startedNs === Infinity) {
          last.startedNs = nowNs;
          outages.started(node, nowNs);
        } else {
          last.backNs = nowNs;
          outages.back(node, nowNs);
        }
      } else {
        // A message is known from its sender or from a receiver, whoever speaks first.
        const number = random() < 0.2 || dueNs.length === 0
          ? dueNs.push(nowNs) - 1
          : Math.max(0, dueNs.length - 1 - whole(12));
        const sender = number % nodes;
        // Indices begin anew every 60 messages.
        const index = Math.floor((number % 60) / nodes);
        const node = whole(nodes);
        if (event < 0.2 || node === sender) {
          ledger.sent(sender, index, dueNs[number]!);
          reference.sent(sender, index, dueNs[number]!);
        } else {
          ledger.received(node, sender, index, dueNs[number]!, nowNs);
          reference.received(node, sender, index, dueNs[number]!, nowNs);
        }
      }
      assertBalanced(ledger.counts);
    }
    const { sent, expected, delivered, duplicated, receivedAgain, outOfOrder, inFlight } = reference
      .counts(false);
    assert.deepEqual(ledger.counts, {
      ...{ sent, expected, delivered, duplicated, receivedAgain, outOfOrder, inFlight },
      ...{ missed: 0, missedWhileDown: 0, unknown: 0, late: 0, foreign: 0 },
    });
    ledger.settle();
    assert.deepEqual(ledger.counts, reference.counts(true), `seed ${seed}`);
    assertHolds(ledger.delay, reference.delays());
    for (const [share, of] of reachShares.entries()) {
      const reach = reference.reach(of);
      assertHolds(ledger.reach[share]!, reach.filter((each) => typeof each === "number"));
      assert.deepEqual(ledger.reachCounts[share], {
        reached: reach.filter((each) => typeof each === "number").length,
        notReached: reach.filter((each) => each === undefined).length,
        unknown: reach.filter((each) => each === "unknown").length,
      });
    }
    for (const [node, books] of ledger.nodes.entries()) {
      assertHolds(books.delay, reference.delays(node));
      assert.equal(books.delivered, reference.delays(node).length);
    }
    const sum = (key: "sent" | "delivered" | "missed" | "unknown" | "outOfOrder") =>
      ledger.nodes.reduce((total, each) => total + each[key], 0);
    for (const key of ["sent", "delivered", "missed", "unknown", "outOfOrder"] as const) {
      assert.equal(sum(key), ledger.counts[key], key);
    }
  }
});

test("a message due in the warm-up is counted, and not timed", () => {
  const { ledger } = ledgerOf(3, { measuredFromNs: 1000 });
  // It arrives after the warm-up; of node 2 nothing is heard.
  ledger.sent(0, 0, 999);
  ledger.received(1, 0, 0, 999, 5000);
  ledger.sent(1, 0, 998);
  ledger.received(0, 1, 0, 998, 990);
  ledger.received(2, 1, 0, 998, 1010);
  ledger.sent(0, 1, 1000);
  const times = [ledger.delay, ledger.negativeDelay, ...ledger.reach];
  assert.deepEqual(times.map(({ count }) => count), [0, 0, 0, 0, 0]);
  assert.ok(ledger.nodes.every(({ delay }) => delay.count === 0));
  ledger.received(1, 0, 1, 1000, 1300);
  ledger.received(2, 0, 1, 1000, 1700);
  ledger.settle();
  assertHolds(ledger.delay, [300, 700]);
  assertHolds(ledger.nodes[1]!.delay, [300]);
  assert.deepEqual(ledger.reach.map(({ count, maxNs }) => [count, maxNs]), [
    ...[[1, 300], [1, 700], [1, 700]],
  ]);
  const { sent, expected, delivered, missed } = ledger.counts;
  assert.deepEqual({ sent, expected, delivered, missed }, {
    ...{ sent: 3, expected: 6, delivered: 5, missed: 1 },
  });
  assertBalanced(ledger.counts);
  assert.deepEqual(ledger.reachCounts.map(({ reached, notReached }) => [reached, notReached]), [
    ...[[3, 0], [2, 1], [2, 1]],
  ]);
});

test("the books stay exact when older messages are forgotten", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const nodes = 4;
    const maxMessages = 50;
    const { ledger } = ledgerOf(nodes, { maxMessages });
    let delivered = 0;
    for (let index = 0; index < 3000; index++) {
      ledger.sent(0, index, index * 1000);
      for (const node of [1, 2, 3]) {
        if (random() < 0.5) continue;
        ledger.received(node, 0, index, index * 1000, index * 1000 + 5);
        delivered++;
      }
      assertBalanced(ledger.counts);
      assert.ok(ledger.counts.inFlight <= maxMessages * (nodes - 1));
    }
    // Long given up or delivered, it does not matter: nothing is counted twice.
    ledger.received(1, 0, 7, 7000, 9e6);
    assert.equal(ledger.counts.late, 1);
    ledger.settle();
    const { sent, expected, missed, inFlight } = ledger.counts;
    assert.deepEqual({ sent, expected, inFlight }, { sent: 3000, expected: 9000, inFlight: 0 });
    assert.equal(ledger.counts.delivered, delivered);
    assert.equal(missed, 9000 - delivered);
  }
});

test("a message that only receivers know of counts as sent", () => {
  const { ledger } = ledgerOf(3);
  ledger.received(1, 0, 5, 100, 150);
  assert.equal(ledger.counts.sent, 1);
  ledger.sent(0, 5, 100);
  assert.equal(ledger.counts.sent, 1);
  ledger.settle();
  assert.equal(ledger.counts.missed, 1);
  // The run's end gave it up.
  ledger.received(2, 0, 5, 100, 300);
  assert.deepEqual([ledger.counts.late, ledger.counts.delivered], [1, 1]);
});

test("an index that begins anew is another message", () => {
  const { ledger } = ledgerOf(3, { maxMessages: 4 });
  for (const dueNs of [100, 200, 300]) {
    ledger.sent(0, 0, dueNs);
    ledger.received(1, 0, 0, dueNs, dueNs + 10);
  }
  ledger.received(2, 0, 0, 200, 250);
  ledger.received(2, 0, 0, 200, 260);
  assert.equal(ledger.counts.sent, 3);
  assert.equal(ledger.counts.delivered, 4);
  assert.equal(ledger.counts.duplicated, 1);
  // Those before are forgotten one after another.
  for (const dueNs of [400, 500, 600]) ledger.sent(0, 0, dueNs);
  assert.equal(ledger.counts.missed, 1);
  ledger.received(2, 0, 0, 300, 900);
  ledger.received(2, 0, 0, 600, 910);
  assert.equal(ledger.counts.late, 0);
  assert.equal(ledger.counts.delivered, 6);
  ledger.received(2, 0, 0, 100, 920);
  assert.equal(ledger.counts.late, 1);
});

test("a node that is killed takes with it what it had and did not say", () => {
  const { ledger, outages } = ledgerOf(3);
  ledger.sent(0, 0, 100);
  ledger.received(1, 0, 0, 100, 110);
  ledger.sent(0, 1, 200);
  ledger.received(1, 0, 1, 200, 210);
  ledger.received(2, 0, 1, 200, 220);
  outages.down(2, 250);
  ledger.sent(0, 2, 300);
  ledger.received(1, 0, 2, 300, 310);
  outages.started(2, 400);
  ledger.sent(0, 3, 450);
  ledger.received(1, 0, 3, 450, 460);
  // The peers still have it, and give it to the new process.
  ledger.received(2, 0, 3, 450, 470);
  ledger.received(2, 0, 1, 200, 480);
  outages.back(2, 500);
  ledger.sent(0, 4, 550);
  ledger.received(1, 0, 4, 550, 560);
  ledger.settle();
  const { sent, expected, delivered, unknown, missedWhileDown, missed } = ledger.counts;
  assert.deepEqual({ sent, expected, delivered, unknown, missedWhileDown, missed }, {
    ...{ sent: 5, expected: 10, delivered: 7 },
    ...{ unknown: 1, missedWhileDown: 1, missed: 1 },
  });
  assert.equal(ledger.counts.receivedAgain, 1);
  assert.equal(ledger.counts.duplicated, 0);
  const [down] = outages.of(2);
  assert.deepEqual([down?.missed, down?.unknown], [1, 1]);
  assert.deepEqual(ledger.reachCounts[2], { reached: 2, notReached: 2, unknown: 1 });
});

test("where each message is for one node, any of them will do", () => {
  const { ledger, outages } = ledgerOf(4, { receiversEach: 1 });
  for (const index of [0, 1, 2, 3]) ledger.sent(0, index, index * 100);
  ledger.received(1, 0, 0, 0, 10);
  ledger.received(2, 0, 1, 100, 120);
  assert.equal(ledger.counts.inFlight, 2);
  // A second receiver is one too many.
  ledger.received(3, 0, 1, 100, 130);
  assert.deepEqual([ledger.counts.delivered, ledger.counts.duplicated], [2, 1]);
  outages.down(3, 250);
  ledger.settle();
  const { unknown, missed, expected } = ledger.counts;
  assert.deepEqual({ unknown, missed, expected }, { unknown: 1, missed: 1, expected: 4 });
});

test("delays below 0 are counted apart", () => {
  const { ledger } = ledgerOf(3);
  ledger.received(1, 0, 0, 1000, 900);
  ledger.received(2, 0, 0, 1000, 1300);
  assert.equal(ledger.negativeDelay.maxNs, 100);
  assertHolds(ledger.delay, [300]);
  assert.equal(ledger.counts.delivered, 2);
});

test("senders of other networks have no part in the books", () => {
  const { ledger } = ledgerOf(3);
  for (const sender of [3, 2 ** 40, -1, NaN]) ledger.received(1, sender, 0, 0, 1);
  assert.equal(ledger.counts.foreign, 4);
  assert.equal(ledger.counts.sent, 0);
});
