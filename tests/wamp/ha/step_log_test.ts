import { test } from "bun:test";
import assert from "node:assert/strict";
import { StepLog } from "../../../lib/wamp/ha/step_log.ts";

const ms = 1e6;

test("StepLog puts sessions that go and come down to the step in which they went", () => {
  let spread = { node1: 5, node2: 5 };
  let published = 0;
  let callsFailed = 0;
  const log = new StepLog({
    counts: () => ({
      published: Float64Array.of(published),
      eventsDuplicated: 0,
      publicationsFailed: 0,
      callsFailed,
    }),
    spread: () => spread,
  });
  log.begin(1000 * ms);
  log.sessionLost(9, 1500 * ms, false);
  log.step("kill node2", 2000 * ms);
  for (const [id, lostMs] of [[0, 2010], [1, 2011], [2, 2012]] as const) {
    log.sessionLost(id, lostMs * ms, false);
  }
  log.markedDown(2040 * ms);
  log.markedDown(2500 * ms);
  log.sessionBack(0, 2030 * ms);
  log.sessionBack(1, 2061 * ms);
  spread = { node1: 10, node2: 0 };
  published = 70;
  callsFailed = 12;
  log.step("return node2", 5000 * ms);
  // Lost in the first step, back in the second.
  log.sessionBack(2, 5012 * ms);
  log.sessionBack(9, 5100 * ms);
  log.sessionLost(3, 5200 * ms, true);
  log.sessionBack(3, 5210 * ms);
  spread = { node1: 9, node2: 1 };
  published = 100;
  log.end();
  const [kill, back] = log.reports((from, to) => to[0]! - from[0]!);
  assert.deepEqual(kill, {
    text: "kill node2",
    atMs: 1000,
    detectedMs: 10,
    markedDownMs: 40,
    lost: 3,
    back: 3,
    reconnectP50Ms: 50,
    reconnectP95Ms: 3000,
    reconnectMaxMs: 3000,
    allBackMs: 3012,
    before: { node1: 5, node2: 5 },
    after: { node1: 10, node2: 0 },
    recycled: 0,
    eventsLost: 70,
    eventsDuplicated: 0,
    publicationsFailed: 0,
    callsFailed: 12,
  });
  assert.deepEqual([back!.lost, back!.recycled, back!.eventsLost], [0, 1, 30]);
  assert.deepEqual(back!.after, { node1: 9, node2: 1 });
  assert.ok(Number.isNaN(back!.detectedMs) && Number.isNaN(back!.reconnectP95Ms));
});
