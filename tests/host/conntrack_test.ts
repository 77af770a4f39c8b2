/** What makes it track, and what its table holds, is tested in tests/doctor/prediction_test.ts. */
import { test } from "bun:test";
import assert from "node:assert/strict";
import { readConntrack } from "../../lib/host/conntrack.ts";
import { sysctlNumber } from "../../lib/host/kernel_file.ts";
import { openFds } from "../../lib/host/libc.ts";

test("readConntrack() agrees with the kernel's files, and leaves no socket behind", async () => {
  const max = sysctlNumber("net.netfilter.nf_conntrack_max");
  const before = openFds();
  const readings = await readConntrack();
  assert.ok(openFds() <= before + 1, "sockets were left open");
  assert.equal(readings?.max, max);
  if (readings === undefined) return;
  assert.ok(readings.count >= 0 && readings.count <= readings.max);
  assert.equal(typeof readings.isTracking, "boolean");
});
