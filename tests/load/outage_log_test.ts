import { test } from "bun:test";
import assert from "node:assert/strict";
import { OutageLog } from "../../lib/load/outage_log.ts";

/** A log whose clock counts milliseconds, and what it asks for. */
function build(connections: number) {
  const counts = { unsent: 0, duplicated: 0, late: 0 };
  let spread: Record<string, number> = { a: connections };
  const log = new OutageLog(connections, { counts: () => ({ ...counts }), spread: () => spread });
  log.start(1000e6);
  return {
    log,
    counts,
    setSpread: (next: Record<string, number>) => spread = next,
    down: (id: number, ms: number, sinceMs = ms) =>
      log.down(id, (1000 + ms) * 1e6, (1000 + sinceMs) * 1e6),
    back: (id: number, ms: number) => log.back(id, (1000 + ms) * 1e6),
    step: (ms: number) => log.step((1000 + ms) * 1e6),
    report: (ms: number) => log.report((1000 + ms) * 1e6),
  };
}

test("an outage is told to the millisecond", () => {
  const { log, counts, setSpread, down, back, step, report } = build(200);
  counts.unsent = 7;
  for (let id = 0; id < 100; id++) down(id, 500 + id / 100);
  log.messagesLost(12, 3);
  setSpread({ a: 0, b: 60 });
  for (let id = 0; id < 60; id++) back(id, 1000 + id);
  log.attemptFailed();
  counts.unsent = 27;
  counts.late = 2;
  counts.duplicated = 1;
  const during = report(1200).list[0]!;
  assert.deepEqual([during.down, during.isOver, during.back50Ms], [40, false, 549]);
  assert.ok(Number.isNaN(during.back99Ms) && Number.isNaN(during.backAllMs));
  // The longest gap is that of one that is still down.
  assert.equal(during.longestGapMs, 1200 - 500.6);
  for (let id = 60; id < 100; id++) back(id, 2000 + id);
  setSpread({ a: 0, b: 100 });
  assert.equal(step(3098), false);
  assert.equal(step(3100), true);
  assert.deepEqual(report(9999), {
    total: 1,
    list: [{
      beganMs: 500,
      connections: 100,
      down: 0,
      lostAgain: 0,
      failedAttempts: 1,
      back50Ms: 549,
      back99Ms: 1598,
      backAllMs: 1599,
      longestGapMs: 2099 - 500.99,
      lost: 12,
      unsent: 23,
      duplicated: 1,
      late: 2,
      before: { a: 200 },
      after: { a: 0, b: 100 },
      isOver: true,
    }],
  });
});

test("a loss within a second of the last return belongs to the same outage", () => {
  const { down, back, step, report } = build(3);
  down(0, 100);
  back(0, 200);
  step(900);
  down(1, 1150);
  back(1, 1300);
  step(2301);
  const [outage] = report(2400).list;
  assert.deepEqual([outage!.connections, outage!.back50Ms, outage!.backAllMs], [2, 100, 1200]);
  // And one after that is another.
  down(1, 2500);
  assert.deepEqual(report(2600).list.map(({ beganMs, isOver }) => [beganMs, isOver]), [
    [100, true],
    [2500, false],
  ]);
});

test("a level that is lost again counts from when it was reached for good", () => {
  const { down, back, report } = build(4);
  for (const id of [0, 1, 2, 3]) down(id, 0);
  back(0, 100);
  back(1, 150);
  assert.equal(report(160).list[0]!.back50Ms, 150);
  down(1, 200);
  assert.ok(Number.isNaN(report(210).list[0]!.back50Ms));
  back(2, 300);
  back(1, 400);
  back(3, 500);
  const { back50Ms, backAllMs, lostAgain, connections } = report(600).list[0]!;
  assert.deepEqual([back50Ms, backAllMs, lostAgain, connections], [300, 500, 1, 4]);
});

test("a connection that was back for a moment only has one long gap", () => {
  const { down, back, report } = build(2);
  down(0, 0);
  down(1, 0);
  back(0, 500);
  down(0, 600);
  assert.equal(report(700).list[0]!.longestGapMs, 700);
  back(1, 800);
  back(0, 900);
  assert.equal(report(950).list[0]!.longestGapMs, 900);
  // One that was back for longer begins a new gap.
  down(0, 1899);
  back(0, 1950);
  down(1, 2500);
  back(1, 2600);
  assert.equal(report(2700).list[0]!.longestGapMs, 1950);
});

test("an outage begins when the first connection was of no use any more", () => {
  const { down, report } = build(2);
  down(0, 1500, 1000);
  down(1, 1600, 900);
  assert.equal(report(1700).list[0]!.beganMs, 900);
});

test("freeze() ends the outages with the run", () => {
  const { log, down, back, report } = build(2);
  down(0, 100);
  down(1, 100);
  back(0, 200);
  log.freeze(1300e6);
  down(0, 400);
  back(1, 500);
  const { total, list } = report(600);
  assert.equal(total, 1);
  assert.deepEqual([list[0]!.down, list[0]!.isOver, list[0]!.longestGapMs], [1, false, 200]);
});

test("the list of outages is bounded, and their number is not", () => {
  const { down, back, step, report } = build(1);
  for (let i = 0; i < 250; i++) {
    down(0, i * 3000);
    back(0, i * 3000 + 10);
    step(i * 3000 + 2000);
  }
  const { total, list } = report(1e6);
  assert.equal(total, 250);
  const first = Array.from({ length: 50 }, (_, i) => i * 3000);
  const last = Array.from({ length: 50 }, (_, i) => (200 + i) * 3000);
  assert.deepEqual(list.map(({ beganMs }) => beganMs), [...first, ...last]);
});
