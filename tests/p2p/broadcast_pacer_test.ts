import { test } from "bun:test";
import assert from "node:assert/strict";
import { BroadcastPacer } from "../../lib/p2p/broadcast_pacer.ts";
import { nowNs } from "../../lib/stats/clock.ts";

test("BroadcastPacer calls when something is due, and not before", async () => {
  const startNs = nowNs();
  const calls: number[] = [];
  const done = Promise.withResolvers<void>();
  let taken = 0;
  const pacer = new BroadcastPacer((atNs) => {
    const dueNs = startNs + taken * 10e6;
    if (atNs >= dueNs) {
      calls.push(atNs - dueNs);
      taken++;
    }
    if (taken < 10) return startNs + taken * 10e6;
    done.resolve();
    return Infinity;
  });
  pacer.wake();
  await done.promise;
  assert.equal(calls.length, 10);
  assert.ok(calls.every((latenessNs) => latenessNs >= 0));
  // Where timers alone would have been half a millisecond late; the least disturbed of ten.
  assert.ok(Math.min(...calls) < 2e6, `${Math.min(...calls)} ns late at best`);
});

test("BroadcastPacer lets everything else of the event loop go on", async () => {
  const endNs = nowNs() + 200e6;
  let turns = 0;
  // Something is due in 2 ms, always: the pacer never goes by a timer.
  const pacer = new BroadcastPacer((atNs) => atNs < endNs ? atNs + 2e6 : Infinity);
  pacer.wake();
  while (nowNs() < endNs) {
    await new Promise((resolve) => setImmediate(resolve));
    turns++;
  }
  pacer.stop();
  assert.ok(turns > 20, `${turns} turns`);
});

test("BroadcastPacer rests until it is woken, and ends with stop()", async () => {
  let steps = 0;
  const pacer = new BroadcastPacer(() => {
    steps++;
    return Infinity;
  });
  pacer.wake();
  await Bun.sleep(30);
  assert.equal(steps, 1);
  pacer.wake();
  await Bun.sleep(30);
  assert.equal(steps, 2);
  pacer.wake();
  pacer.stop();
  await Bun.sleep(30);
  assert.equal(steps, 2);
});
