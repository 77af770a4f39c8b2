import { test } from "bun:test";
import assert from "node:assert/strict";
import { Broadcaster, plannedCount } from "../../lib/p2p/broadcaster.ts";
import { emptyHeader, readMessage } from "../../lib/p2p/message.ts";
import { NodeDurations } from "../../lib/p2p/metrics/node_durations.ts";
import type { DropReason } from "../../lib/p2p/network/network.ts";
import { type BroadcastCounts, totalDropped } from "../../lib/p2p/snapshot.ts";
import { WallClock } from "../../lib/p2p/wall_clock.ts";
import { nowNs } from "../../lib/stats/clock.ts";

const ms = 1e6;

/** A broadcaster with a network that the test answers for. */
function broadcasting(heartbeatMs = 1, bufferSize = 1000) {
  const origin = Math.floor(Date.now() / 1000);
  const published: { index: number; wallNs: number; token: number; length: number }[] = [];
  const observed: number[] = [];
  const answers: { refuse: DropReason | undefined } = { refuse: undefined };
  const header = emptyHeader();
  const durations = new NodeDurations();
  const clock = new WallClock(origin);
  const broadcaster = new Broadcaster({
    nodeId: 3,
    bufferSize,
    clock,
    durations,
    publish(message, token) {
      if (answers.refuse !== undefined) return answers.refuse;
      assert.equal(readMessage(message, header), undefined);
      assert.equal(header.sender, 3);
      published.push({
        index: header.index,
        wallNs: (header.seconds - origin) * 1e9 + header.nanoseconds,
        token,
        length: message.length,
      });
      return undefined;
    },
    sent: (index) => observed.push(index),
  }, { messageBytes: 100, heartbeatNs: heartbeatMs * ms });
  return { broadcaster, published, observed, answers, durations, clock };
}

/** As the pacer does: a step that was held up leaves the rest to the next one. */
function stepAll(broadcaster: Broadcaster, atNs: number): number {
  for (let steps = 0; steps < 1_000; steps++) {
    const nextNs = broadcaster.step(atNs);
    if (nextNs > atNs) return nextNs;
  }
  throw new Error("after 1,000 steps more is due");
}

function isBalanced(counts: BroadcastCounts) {
  assert.equal(counts.due, counts.sent + counts.queued + totalDropped(counts));
  assert.ok(counts.queued >= 0);
}

test("Broadcaster.step() publishes all that is due, with the intended instants", () => {
  const { broadcaster, published, clock } = broadcasting(2.5);
  const startNs = nowNs() - 10 * ms;
  broadcaster.plan({ startNs, endNs: Infinity });
  const nextNs = stepAll(broadcaster, startNs + 8 * ms);
  assert.deepEqual(published.map(({ index }) => index), [0, 1, 2, 3]);
  assert.equal(nextNs, startNs + 10 * ms);
  for (const { index, wallNs, length } of published) {
    assert.equal(wallNs, Math.round(clock.atMonotonic(startNs + index * 2.5 * ms)));
    assert.equal(length, 100);
  }
});

test("Broadcaster keeps due = sent + queued + dropped at every instant", () => {
  const { broadcaster, published, observed, answers } = broadcasting(1, 5);
  const startNs = nowNs() - 100 * ms;
  broadcaster.plan({ startNs, endNs: startNs + 100 * ms });
  // Nothing was taken up yet: what is due is queued.
  assert.deepEqual({ ...broadcaster.totalCounts(startNs + 9.5 * ms), dropped: undefined }, {
    due: 10,
    sent: 0,
    queued: 10,
    bytes: 0,
    dropped: undefined,
  });
  stepAll(broadcaster, startNs + 9 * ms);
  const full = broadcaster.totalCounts(startNs + 9 * ms);
  isBalanced(full);
  assert.equal(full.queued, 5);
  assert.equal(full.dropped.all_queues_full, 5);
  broadcaster.sent(published[2]!.token);
  broadcaster.dropped("signing_error", published[0]!.token);
  // Said twice: the second is of no message.
  broadcaster.sent(published[2]!.token);
  broadcaster.dropped("signing_error", published[0]!.token);
  assert.deepEqual(observed, [2]);
  answers.refuse = "no_peers_subscribed_to_topic";
  stepAll(broadcaster, startNs + 12 * ms);
  const counts = broadcaster.totalCounts(startNs + 12 * ms);
  isBalanced(counts);
  assert.equal(counts.due, 13);
  assert.equal(counts.sent, 1);
  assert.equal(counts.queued, 3);
  assert.equal(counts.bytes, 100);
  assert.equal(counts.dropped.no_peers_subscribed_to_topic, 3);
  assert.equal(counts.dropped.signing_error, 1);
  broadcaster.networkEnded(startNs + 20 * ms);
  const ended = broadcaster.totalCounts(startNs + 50 * ms);
  isBalanced(ended);
  assert.equal(ended.due, 20);
  assert.equal(ended.queued, 0);
  assert.equal(ended.dropped.network_reset, 3);
  assert.equal(ended.dropped.late, 7);
  assert.equal(broadcaster.nextNs, Infinity);
});

test("Broadcaster records its own lateness and the delay to the sockets", () => {
  const { broadcaster, published, durations } = broadcasting(1000);
  const startNs = nowNs() - 7 * ms;
  broadcaster.plan({ startNs, endNs: Infinity });
  stepAll(broadcaster, startNs + 7 * ms);
  broadcaster.sent(published[0]!.token);
  const { lateness, sendDelay } = durations.totals();
  assert.equal(lateness.count, 1);
  assert.equal(lateness.minNs, 7 * ms);
  assert.ok(sendDelay.minNs >= 7 * ms);
});

test("Broadcaster counts what is due in the warm-up, and does not time it", () => {
  const { broadcaster, published, durations, clock, observed } = broadcasting(1);
  const startNs = nowNs() - 20 * ms;
  // Message 4 is due just before the end of the warm-up, and leaves long after it.
  broadcaster.measuredFromNs = clock.atMonotonic(startNs + 4.001 * ms);
  broadcaster.plan({ startNs, endNs: startNs + 10 * ms });
  stepAll(broadcaster, startNs + 4.5 * ms);
  for (const { token } of published) broadcaster.sent(token);
  assert.equal(durations.totals().lateness.count, 0);
  assert.equal(durations.totals().sendDelay.count, 0);
  assert.deepEqual(observed, [0, 1, 2, 3, 4]);
  stepAll(broadcaster, startNs + 12 * ms);
  for (const { token } of published.slice(5)) broadcaster.sent(token);
  const { lateness, sendDelay } = durations.totals();
  assert.equal(lateness.count, 5);
  // That of message 5, the first after the warm-up; the others are picked up later still.
  assert.equal(lateness.minNs, 7 * ms);
  assert.equal(sendDelay.count, 5);
  const counts = broadcaster.totalCounts();
  isBalanced(counts);
  assert.deepEqual([counts.due, counts.sent, counts.bytes], [10, 10, 1000]);
});

test("Broadcaster.reset() begins at index 0 and keeps the totals", () => {
  const { broadcaster, published } = broadcasting(1);
  const startNs = nowNs() - 100 * ms;
  broadcaster.plan({ startNs, endNs: startNs + 3 * ms });
  stepAll(broadcaster, startNs + 50 * ms);
  for (const { token } of published) broadcaster.sent(token);
  broadcaster.networkEnded(startNs + 51 * ms);
  broadcaster.reset();
  broadcaster.setLoad({ messageBytes: 64, heartbeatNs: 2 * ms });
  broadcaster.plan({ startNs: startNs + 60 * ms, endNs: startNs + 64 * ms });
  stepAll(broadcaster, startNs + 90 * ms);
  assert.deepEqual(published.map(({ index }) => index), [0, 1, 2, 0, 1]);
  assert.equal(published.at(-1)!.length, 64);
  assert.equal(broadcaster.trialCounts(startNs + 90 * ms).due, 2);
  const counts = broadcaster.totalCounts(startNs + 90 * ms);
  assert.equal(counts.due, 5);
  assert.equal(counts.sent, 3);
  assert.equal(counts.bytes, 300);
  isBalanced(counts);
});

test("Broadcaster.plan() drops what the span before has left, and goes on counting", () => {
  const { broadcaster, published } = broadcasting(1);
  const startNs = nowNs() - 100 * ms;
  broadcaster.plan({ startNs, endNs: startNs + 5 * ms });
  stepAll(broadcaster, startNs + 1 * ms);
  broadcaster.plan({ startNs: startNs + 20 * ms, endNs: startNs + 21 * ms });
  stepAll(broadcaster, startNs + 30 * ms);
  // Messages 2 to 4 were due and are missing to everyone.
  assert.deepEqual(published.map(({ index }) => index), [0, 1, 5]);
  assert.equal(broadcaster.totalCounts().dropped.late, 3);
  isBalanced(broadcaster.totalCounts());
});

test("Broadcaster.step() lets the loop turn when it is far behind", () => {
  const { broadcaster, published } = broadcasting(0.001, 1e9);
  const startNs = nowNs() - 10_000 * ms;
  broadcaster.plan({ startNs, endNs: Infinity });
  const beforeNs = nowNs();
  const nextNs = broadcaster.step(beforeNs);
  assert.ok(nextNs < beforeNs, "more is due");
  assert.ok(published.length > 10 && published.length < 5_000_000);
  isBalanced(broadcaster.totalCounts());
});

test("plannedCount() is what step() publishes", () => {
  for (const heartbeatNs of [1e6, 333_333.3, 0.1e6, 7.7e6, 1e9 / 3]) {
    for (const lengthNs of [1e6, 10e6, 33.3e6, 1e9 / 3]) {
      const startNs = 123_456_789.25;
      const span = { startNs, endNs: startNs + lengthNs };
      let exact = 0;
      while (startNs + exact * heartbeatNs < span.endNs) exact++;
      assert.equal(plannedCount(span, heartbeatNs), exact);
    }
  }
  assert.equal(plannedCount({ startNs: 5, endNs: 5 }, 1), 0);
});

test("Broadcaster lets 256 MiB be on their way, however many messages it may", () => {
  const { broadcaster, published } = broadcasting(1, 1e9);
  broadcaster.setLoad({ messageBytes: 2 ** 22, heartbeatNs: 1 * ms });
  const startNs = nowNs() - 100 * ms;
  broadcaster.plan({ startNs, endNs: startNs + 80 * ms });
  while (broadcaster.step(nowNs()) !== Infinity);
  assert.equal(published.length, 64);
  assert.equal(broadcaster.totalCounts().dropped.all_queues_full, 16);
  isBalanced(broadcaster.totalCounts());
});
