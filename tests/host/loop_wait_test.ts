import { test } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import { LoopWait, timerDelayMs } from "../../lib/host/loop_wait.ts";
import { nowNs } from "../../lib/stats/clock.ts";

test("timerDelayMs() stays short of what is due, and below the longest", () => {
  assert.equal(timerDelayMs(20e6, 50), 18);
  assert.equal(timerDelayMs(3.5e6, 50), 1.5);
  assert.equal(timerDelayMs(1e9, 50), 50);
  assert.equal(timerDelayMs(Infinity, 50), 50);
  for (const nearNs of [3e6, 1e6, 0, -1e6]) assert.equal(timerDelayMs(nearNs, 50), 0);
});

test.if(process.platform === "linux")("LoopWait waits, and is woken by a socket", async () => {
  const wait = new LoopWait();
  assert.ok(wait.isPossible);
  const tookNs = (wait: () => void) => {
    const startNs = nowNs();
    wait();
    return nowNs() - startNs;
  };
  assert.ok(tookNs(() => wait.through(3e6)) >= 3e6);
  // No longer than a millisecond; a busy machine adds to it.
  const shortestNs = () =>
    Math.min(...Array.from({ length: 20 }, () => tookNs(() => wait.untilEvents(1e9))));
  assert.ok(shortestNs() < 200e6);

  let received = 0;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (_, bytes) => void (received += bytes.length) },
  });
  const client = await Bun.connect({
    hostname: "127.0.0.1",
    port: listener.port,
    socket: { data() {} },
  });
  // What is read by the loop in a later turn is there to wake this one.
  client.write("x");
  let hasWoken = false;
  for (let tries = 0; tries < 1000 && !hasWoken; tries++) hasWoken = wait.untilEvents(1e6);
  assert.ok(hasWoken);
  for (let tries = 0; tries < 1000 && received === 0; tries++) await Bun.sleep(1);
  assert.equal(received, 1);
  client.terminate();
  listener.stop(true);
});
