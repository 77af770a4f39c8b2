import { test } from "bun:test";
import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { readProcessUsage } from "../../lib/stats/process_usage.ts";

test("readProcessUsage() sees CPU that was burnt and descriptors that were opened", () => {
  const before = readProcessUsage();
  const opened = Array.from({ length: 20 }, () => openSync("/dev/null", "r"));
  // CPU accounting has the granularity of a clock tick on some kernels: burn well over one.
  const start = process.cpuUsage();
  while (process.cpuUsage(start).user + process.cpuUsage(start).system < 60_000);
  const after = readProcessUsage();
  for (const fd of opened) closeSync(fd);
  const cpuOf = (usage: typeof before) => usage.cpuUserSeconds + usage.cpuSystemSeconds;
  assert.ok(cpuOf(after) - cpuOf(before) >= 0.06);
  assert.ok(cpuOf(after) - cpuOf(before) < 10);
  assert.ok(after.openFds - before.openFds >= 20);
  assert.ok(readProcessUsage().openFds <= after.openFds - 20);
  assert.ok(after.rssBytes > 10e6 && after.rssBytes < 10e9);
});
