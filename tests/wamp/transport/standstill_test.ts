import { test } from "bun:test";
import assert from "node:assert/strict";
import { StandstillWatch } from "../../../lib/wamp/transport/standstill.ts";

test("StandstillWatch.check() tells a process that stood still from one that was busy", () => {
  const clocks = { now: 5000, cpu: 700, nowMs: () => clocks.now, cpuMs: () => clocks.cpu };
  let count = 0;
  const watch = new StandstillWatch(() => count++, clocks);
  try {
    const pass = (ms: number, cpuMs: number) => {
      clocks.now += ms;
      clocks.cpu += cpuMs;
      watch.check();
      return count;
    };
    assert.equal(pass(300, 0), 0);
    assert.equal(pass(3000, 2900), 0);
    assert.equal(watch.isRecent, false);
    assert.equal(pass(3000, 100), 1);
    assert.equal(watch.isRecent, true);
    assert.equal(pass(100, 0), 1);
    assert.equal(pass(2000, 2000), 1);
    assert.equal(watch.isRecent, false);
  } finally {
    watch.stop();
  }
});

test("StandstillWatch notices that this process was held up", () => {
  let count = 0;
  const watch = new StandstillWatch(() => count++);
  try {
    Bun.sleepSync(700);
    watch.check();
    assert.equal(count, 1);
  } finally {
    watch.stop();
  }
});
