import { test } from "bun:test";
import assert from "node:assert/strict";
import { ExploreClock } from "../../lib/p2p/explore_clock.ts";
import { MessageReceiver, TrialArrivals } from "../../lib/p2p/message_receiver.ts";
import { writeHeader } from "../../lib/p2p/message.ts";
import { NodeDurations } from "../../lib/p2p/metrics/node_durations.ts";
import { type RefusalReason, totalRefused } from "../../lib/p2p/snapshot.ts";
import { WallClock } from "../../lib/p2p/wall_clock.ts";

const nowSeconds = Math.floor(Date.now() / 1000);

/** A receiver of node 0 of 3, and messages for it. */
function receiving(exploreClock?: ExploreClock) {
  const durations = new NodeDurations();
  const told: string[] = [];
  const receiver = new MessageReceiver({
    nodeId: 0,
    numNodes: 3,
    clock: new WallClock(nowSeconds),
    durations,
    observer: {
      received: (sender, index, _intendedNs, _arrivedNs, bytes) =>
        told.push(`${sender} ${index} ${bytes}`),
      duplicated: (sender, index) => told.push(`${sender} ${index} again`),
    },
    exploreClock,
  });
  const receive = (sender: number, index: number, seconds = nowSeconds, bytes = 100) => {
    const message = new Uint8Array(bytes);
    writeHeader(message, sender, index, seconds, index);
    receiver.receive(message);
  };
  return { receiver, durations, told, receive };
}

test("MessageReceiver counts what was due in the warm-up, and does not time it", () => {
  const { receiver, durations, told, receive } = receiving();
  receiver.measuredFromNs = 1e9;
  receive(1, 0, nowSeconds);
  receive(1, 1, nowSeconds - 1);
  receive(2, 0, nowSeconds + 1000);
  const { delivery, negativeDelivery } = durations.totals();
  assert.deepEqual([delivery.count, negativeDelivery.count], [0, 1]);
  assert.equal(receiver.counts.messages, 3);
  assert.equal(told.length, 3);
});

test("MessageReceiver counts, follows and times what comes", () => {
  const { receiver, durations, told, receive } = receiving();
  receive(1, 0);
  receive(1, 2);
  receive(2, 5, nowSeconds + 1000);
  receive(1, 2);
  assert.equal(receiver.counts.messages, 4);
  assert.equal(receiver.counts.bytes, 400);
  assert.deepEqual(
    receiver.senders().map((
      { sender, received, pending, duplicates },
    ) => [sender, received, pending, duplicates]),
    [[1, 2, 1, 1], [2, 1, 0, 0]],
  );
  assert.equal(receiver.pending(), 1);
  // A clock that is ahead shows as a delay below 0, which is kept apart and not clamped.
  const { delivery, negativeDelivery } = durations.totals();
  assert.equal(delivery.count, 2);
  assert.equal(negativeDelivery.count, 1);
  assert.ok(negativeDelivery.minNs > 900e9);
  assert.ok(receiver.senders()[1]!.delayMaxNs < -900e9);
  assert.deepEqual(told, ["1 0 100", "1 2 100", "2 5 100", "1 2 again"]);
});

test("MessageReceiver corrects delays by the offsets of the senders' clocks", () => {
  const { receiver, durations, receive } = receiving();
  receive(1, 0, nowSeconds + 1000);
  assert.equal(durations.totals().correctedDelivery.count, 0);
  receiver.setClockOffsets([
    { peer: 1, offsetNs: 1000e9, boundNs: 1e6 },
    { peer: 7, offsetNs: 1, boundNs: 1 },
  ]);
  receive(1, 1, nowSeconds + 1000);
  receive(1, 2, nowSeconds + 2000);
  receive(2, 0);
  const { negativeDelivery, correctedDelivery } = durations.totals();
  assert.equal(negativeDelivery.count, 3);
  // That of node 2 is not known.
  assert.equal(correctedDelivery.count, 2);
  assert.ok(correctedDelivery.maxNs < 60e9, `${correctedDelivery.maxNs}`);
  assert.equal(receiver.counts.correctedBelowZero, 1);
});

test("MessageReceiver refuses what is no message, and counts why", () => {
  const { receiver, told, receive } = receiving();
  receive(0, 1);
  receive(3, 1);
  receive(2 ** 60, 1);
  receiver.receive(new Uint8Array(3));
  receiver.receive(new Uint8Array(40));
  const truncated = new Uint8Array(60);
  writeHeader(truncated, 1, 0, nowSeconds, 0);
  receiver.receive(truncated.subarray(0, 50));
  const counted: Partial<Record<RefusalReason, number>> = {
    own: 1,
    unknown_sender: 2,
    too_short: 1,
    overlong: 1,
    truncated: 1,
  };
  assert.deepEqual(
    Object.fromEntries(Object.entries(receiver.counts.refused).filter(([, count]) => count > 0)),
    counted,
  );
  assert.equal(receiver.counts.messages, 0);
  assert.deepEqual(receiver.senders(), []);
  assert.deepEqual(told, []);
});

test("MessageReceiver takes anything, and counts it all", () => {
  const { receiver } = receiving();
  for (let round = 0; round < 20_000; round++) {
    const message = crypto.getRandomValues(new Uint8Array(Math.floor(Math.random() * 60)));
    // Ids and lengths that can be, sometimes.
    if (message.length >= 36 && round % 3 === 0) {
      message.fill(0, 0, 7);
      message[7] = round % 5;
      message.fill(0, 28, 35);
      message[35] = message.length - 36 + (round % 2);
    }
    receiver.receive(message);
  }
  const { messages } = receiver.counts;
  assert.equal(messages + totalRefused(receiver.counts), 20_000);
  const taken = receiver.senders().reduce(
    (total, { received, duplicates, unclassified }) => total + received + duplicates + unclassified,
    0,
  );
  assert.equal(taken, messages);
});

test("MessageReceiver refuses messages of another trial", () => {
  const exploreClock = new ExploreClock({ runSeconds: 10, coolDownSeconds: 10 }, nowSeconds);
  const { receiver, receive } = receiving(exploreClock);
  const period = Math.floor(nowSeconds / 20);
  receiver.period = period;
  receiver.trial = new TrialArrivals(100);
  receive(1, 7, (period - 1) * 20 + 9);
  receive(1, 0, period * 20);
  receive(1, 1, period * 20 + 10, 50);
  receive(1, 0, (period + 1) * 20);
  receive(1, 1, period * 20 + 10, 50);
  assert.equal(receiver.counts.refused.other_trial, 2);
  const { received, receivedBytes, duplicates, otherSizes } = receiver.trial;
  assert.deepEqual([received, receivedBytes, duplicates, otherSizes], [2, 150, 1, 1]);
  receiver.reset();
  receiver.period = period + 1;
  receive(1, 1, period * 20 + 10);
  receive(1, 0, (period + 1) * 20);
  assert.equal(receiver.counts.refused.other_trial, 3);
  assert.equal(receiver.senders()[0]!.restarts, 0);
});
