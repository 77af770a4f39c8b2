import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  MessageLedger,
  mostOpenOf16Bits,
  settledAnswer,
  settledDuplicate,
  settledLate,
  settledUnknown,
} from "../../lib/load/ledger.ts";
import { messageCounts } from "../../lib/load/message_counters.ts";
import { seededRandom } from "../stats/seeded_random.ts";
import { assertBalanced } from "./books.ts";
import { LedgerModel } from "./ledger_model.ts";

/** Moves the ledger on, as if it had issued and settled this many messages. */
function skipTo(ledger: MessageLedger, sequence: number): void {
  Object.assign(ledger, { head: sequence, tail: sequence });
}

function runAgainstModel(options: {
  seed: number;
  sequenceBits: 16 | 32;
  first: number;
  operations: number;
  connections: number;
}): { answered: number; timedOut: number; anomalies: number } {
  const random = seededRandom(options.seed);
  const below = (n: number) => Math.floor(random() * n);
  const timeoutNs = 200;
  const { connections, sequenceBits } = options;
  const ledger = new MessageLedger({ connections, timeoutNs, sequenceBits });
  const model = new LedgerModel(timeoutNs, sequenceBits);
  const step = 2 ** sequenceBits;
  let timedOutCalls = 0;
  ledger.timedOut = () => timedOutCalls++;
  skipTo(ledger, options.first);
  let nowNs = 0;
  let anomalies = 0;
  for (let i = 0; i < options.operations; i++) {
    nowNs += below(4);
    const connection = below(connections);
    const choice = random();
    if (choice < 0.35) {
      const message = {
        connection,
        intendedNs: nowNs,
        isSteady: nowNs > 500,
        state: "waiting" as const,
      };
      const sequence = ledger.issue(connection, nowNs, 1, message.isSteady);
      assert.ok(!model.messages.has(sequence));
      assert.equal(ledger.isSteady(sequence), message.isSteady);
      assert.equal(ledger.intendedNs[ledger.slotOf(sequence)], nowNs);
      model.issue(sequence, message);
    } else if (choice < 0.65) {
      const waiting = model.waitingOn(connection);
      const queue: number[] = [];
      for (let at = ledger.firstWaitingOn(connection); at >= 0; at = ledger.waitingAfter(at)) {
        queue.push(at);
      }
      assert.deepEqual(queue, waiting.map(([sequence]) => sequence));
      if (waiting.length === 0) continue;
      ledger.markSent(connection, nowNs);
      model.markSent(waiting[0]![1]);
    } else if (choice < 0.93) {
      // Answers to what was issued lately, on its connection or another, and to what never was.
      const sequences = [...model.messages.keys()];
      const near = sequences[sequences.length - 1 - below(Math.min(80, sequences.length))];
      if (near === undefined) continue;
      const isOwn = random() < 0.8;
      const target = isOwn ? model.messages.get(near)!.connection : connection;
      const answer = (random() < 0.95 ? near : near + below(1000)) % step;
      const meant = model.meant(target, answer);
      const open = meant.find(([, { state }]) => state === "inFlight");
      const settled = meant.find(([, { state }]) => state === "answered" || state === "timedOut");
      if (choice < 0.9) {
        const expected = open !== undefined
          ? settledAnswer
          : settled === undefined
          ? settledUnknown
          : settled[1].state === "answered"
          ? settledDuplicate
          : settledLate;
        assert.equal(ledger.settle(target, answer), expected, `answer ${answer} on ${target}`);
        if (expected !== settledAnswer) anomalies++;
        if (open === undefined) continue;
        assert.equal(ledger.settled, open[0]);
        model.end(open[1], "answered", (counts) => counts.answered++);
      } else {
        assert.equal(ledger.spoil(target, answer), open !== undefined);
        if (open !== undefined) model.end(open[1], "answered", ({ lost }) => lost.corrupted++);
      }
    } else if (choice < 0.995) {
      ledger.expire(nowNs);
      model.expire(nowNs);
    } else {
      ledger.closeConnection(connection);
      model.close(connection);
    }
    const open = [...model.messages.values()].filter((message) => model.isOpen(message));
    const onConnection = open.filter((message) => message.connection === connection).length;
    assert.equal(ledger.open, open.length);
    assert.equal(ledger.openOn(connection), onConnection);
    assert.deepEqual(messageCounts(ledger.outside), model.outside);
    assert.deepEqual(messageCounts(ledger.steady), model.steady);
    assertBalanced(messageCounts(ledger.outside, ledger.steady));
    if (model.messages.size > 600) model.forgetSettled();
  }
  const left = ledger.outside.inFlight + ledger.steady.inFlight;
  ledger.closeAll();
  assert.equal(ledger.open, 0);
  const all = messageCounts(ledger.outside, ledger.steady);
  assertBalanced(all);
  assert.deepEqual([all.lost.unanswered, all.inFlight, all.queued], [left, 0, 0]);
  assert.ok(timedOutCalls >= all.lost.timeout);
  return { answered: all.answered, timedOut: all.lost.timeout, anomalies };
}

for (const sequenceBits of [16, 32] as const) {
  test(`MessageLedger does as a plain map does, with ${sequenceBits}-bit answers`, () => {
    // From the start; across the wrap of 16 bits, of the ring, of 32 bits, and far behind it.
    const firsts = [0, 2 ** 16 - 300, 2 ** 31 - 300, 2 ** 32 - 300, 2 ** 45 - 150];
    for (const [index, first] of firsts.entries()) {
      for (const connections of [1, 7]) {
        const settings = { sequenceBits, first, connections, operations: 2500, seed: index + 1 };
        const { answered, timedOut, anomalies } = runAgainstModel(settings);
        assert.ok(
          answered > 50 && timedOut > 20 && anomalies > 50,
          `${answered}, ${timedOut}, ${anomalies}`,
        );
      }
    }
  });
}

test("MessageLedger keeps every message while its ring grows", () => {
  const ledger = new MessageLedger({ connections: 3, timeoutNs: 1e9, sequenceBits: 32 });
  skipTo(ledger, 2 ** 32 - 100_000);
  const issued: number[] = [];
  // Three times the first capacity: it grows twice while all are open.
  for (let i = 0; i < 200_000; i++) issued.push(ledger.issue(i % 3, i, i, i % 2 === 0));
  for (let i = 0; i < 150_000; i++) ledger.markSent(i % 3, 1_000_000 + i);
  for (let i = 0; i < 150_000; i++) {
    const slot = ledger.slotOf(issued[i]!);
    assert.equal(ledger.intendedNs[slot], i);
    assert.equal(ledger.sentNs[slot], 1_000_000 + i);
    assert.equal(ledger.gapNs[slot], i);
    assert.equal(ledger.settle(i % 3, issued[i]! % 2 ** 32), settledAnswer);
    assert.equal(ledger.settled, issued[i]);
  }
  assert.equal(ledger.settle(0, issued[0]! % 2 ** 32), settledDuplicate);
  for (let i = 150_000; i < 200_000; i++) {
    assert.equal(ledger.firstWaitingOn(i % 3), issued[i]);
    ledger.markSent(i % 3, i);
  }
  assert.deepEqual(
    [ledger.outside.inFlight, ledger.steady.inFlight, ledger.steady.answered],
    [25_000, 25_000, 75_000],
  );
});

test("isFull() holds from as many unsettled messages on as the ledger may have", () => {
  const maxMessages = 1000;
  const ledger = new MessageLedger({
    connections: 1,
    timeoutNs: 100,
    sequenceBits: 32,
    maxMessages,
  });
  for (let i = 0; i < maxMessages; i++) {
    assert.equal(ledger.isFull(), false);
    ledger.issue(0, i, 1, true);
  }
  assert.equal(ledger.isFull(), true);
  ledger.expire(101);
  assert.equal(ledger.isFull(), false);
  assert.equal(ledger.steady.unsentHeldBack, 2);
});

test("issue() never gives two open messages of a connection the same 16-bit id", () => {
  const ledger = new MessageLedger({ connections: 2, timeoutNs: 1e9, sequenceBits: 16 });
  const open = [new Set<number>(), new Set<number>()];
  const random = seededRandom(5);
  // The one connection keeps many open, the other one goes on past them again and again.
  for (let i = 0; i < 40_000; i++) {
    const sequence = ledger.issue(0, i, 1, true);
    ledger.markSent(0, i);
    open[0]!.add(sequence & 0xffff);
  }
  for (let i = 0; i < 300_000; i++) {
    const connection = random() < 0.02 && !ledger.isFullOn(0) ? 0 : 1;
    const id = ledger.issue(connection, 40_000 + i, 1, true) & 0xffff;
    ledger.markSent(connection, i);
    assert.ok(!open[connection]!.has(id), `id ${id} is given twice on ${connection}`);
    open[connection]!.add(id);
    if (connection === 0) continue;
    assert.equal(ledger.settle(1, id), settledAnswer);
    open[1]!.delete(id);
  }
  assert.equal(ledger.openOn(0), open[0]!.size);
  for (const id of open[0]!) assert.equal(ledger.settle(0, id), settledAnswer);
  assert.equal(ledger.open, 0);
});

test("isFullOn() holds before the 16-bit ids of a connection are used up", () => {
  const ledger = new MessageLedger({ connections: 2, timeoutNs: 1e9, sequenceBits: 16 });
  const startedMs = performance.now();
  let issued = 0;
  while (!ledger.isFullOn(0)) {
    ledger.issue(0, issued++, 1, true);
    ledger.markSent(0, 1);
    if (issued % 3 === 0) ledger.issue(1, issued, 1, true);
  }
  assert.equal(issued, mostOpenOf16Bits);
  assert.equal(ledger.isFullOn(1), false);
  ledger.refuse(true);
  assert.equal(ledger.steady.unsentHeldBack, 1);
  assertBalanced(messageCounts(ledger.outside, ledger.steady));
  assert.equal(ledger.settle(0, 0), settledAnswer);
  assert.equal(ledger.isFullOn(0), false);
  ledger.closeConnection(0);
  assert.equal(ledger.openOn(0), 0);
  assert.ok(performance.now() - startedMs < 5000);
  const wide = new MessageLedger({ connections: 1, timeoutNs: 1e9, sequenceBits: 32 });
  for (let i = 0; i < 70_000; i++) wide.issue(0, i, 1, true);
  assert.equal(wide.isFullOn(0), false);
});

test("settle() does not take answers for a connection that was there before", () => {
  const ledger = new MessageLedger({ connections: 1, timeoutNs: 10, sequenceBits: 32 });
  const sequence = ledger.issue(0, 0, 1, true);
  ledger.markSent(0, 1);
  ledger.closeConnection(0);
  assert.equal(ledger.steady.lostClosed, 1);
  assert.notEqual(ledger.settle(0, sequence), settledAnswer);
  let timedOut = 0;
  ledger.timedOut = () => timedOut++;
  ledger.expire(1000);
  assert.deepEqual([timedOut, ledger.steady.lostTimeout], [0, 0]);
});

test("settle() knows neither the next message nor those that the ring has forgotten", () => {
  const ledger = new MessageLedger({ connections: 1, timeoutNs: 1e9, sequenceBits: 32 });
  const issued = 0x10000 + 10;
  for (let i = 0; i < issued; i++) {
    ledger.markSent(0, ledger.issue(0, i, 1, true));
    assert.equal(ledger.settle(0, i), settledAnswer);
    ledger.expire(0);
  }
  assert.equal(ledger.settle(0, issued - 1), settledDuplicate);
  for (const unknown of [issued, issued + 1, 0, 2 ** 32 - 1]) {
    assert.equal(ledger.settle(0, unknown), settledUnknown);
  }
});

test("expire() calls an answer to a message that it gave up late, sent whole or in part", () => {
  const ledger = new MessageLedger({ connections: 1, timeoutNs: 10, sequenceBits: 32 });
  const sent = ledger.issue(0, 0, 1, true);
  ledger.markSent(0, 1);
  const waiting = ledger.issue(0, 1, 1, true);
  ledger.expire(11);
  assert.deepEqual([ledger.steady.lostTimeout, ledger.steady.unsentHeldBack], [1, 1]);
  assert.equal(ledger.settle(0, sent), settledLate);
  assert.equal(ledger.settle(0, waiting), settledLate);
  assert.equal(ledger.spoil(0, sent), false);
});

test("openSince() counts what waits for its send or its answer, and nothing that has ended", () => {
  const ledger = new MessageLedger({ connections: 3, timeoutNs: 1e9, sequenceBits: 32 });
  const sequences = [10, 20, 30, 40, 50].map((intendedNs, k) =>
    ledger.issue(k % 3, intendedNs, 10, true)
  );
  assert.equal(ledger.openSince(10), 0);
  assert.equal(ledger.openSince(31), 3, "those that wait to be sent count");
  ledger.markSent(0, 60);
  ledger.markSent(1, 60);
  assert.equal(ledger.openSince(100), 5);
  ledger.settle(0, sequences[0]!);
  assert.equal(ledger.openSince(100), 4);
  // Connection 1 has one message in flight and one that waits: both end with it.
  ledger.closeConnection(1);
  assert.equal(ledger.openSince(100), 2);
  ledger.expire(30 + 1e9);
  assert.equal(ledger.openSince(100), 1);
  ledger.closeAll();
  assert.equal(ledger.openSince(Infinity), 0);
});
