import { test } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import { parseSchedstat, runQueueWaitNs } from "../../lib/host/run_queue.ts";

test("parseSchedstat() reads the second of three numbers", () => {
  assert.equal(parseSchedstat("727334 92014 4\n"), 92014);
});

test("parseSchedstat() takes nothing else for a schedstat file", () => {
  for (const text of ["", "1 2", "1 2 3 4", "a b c", "1 -2 3", "1 2 3\n4"]) {
    assert.ok(Number.isNaN(parseSchedstat(text)), JSON.stringify(text));
  }
});

test("runQueueWaitNs() grows while more threads want the CPU than there are", () => {
  if (process.platform !== "linux") return assert.ok(Number.isNaN(runQueueWaitNs()));
  const spin = "const until = Date.now() + 600; while (Date.now() < until);";
  const rivals = Array.from(
    { length: navigator.hardwareConcurrency * 2 },
    () => Bun.spawn([process.execPath, "-e", spin], { stdio: ["ignore", "ignore", "ignore"] }),
  );
  const beforeNs = runQueueWaitNs();
  const untilMs = performance.now() + 500;
  while (performance.now() < untilMs);
  const waitedNs = runQueueWaitNs() - beforeNs;
  for (const rival of rivals) rival.kill();
  assert.ok(waitedNs > 50e6, `waited ${waitedNs / 1e6} ms of 500 ms`);
});
