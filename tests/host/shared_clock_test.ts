import { test } from "bun:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { monotonicNs } from "../../lib/host/libc.ts";
import { sharedClockOffsetNs } from "../../lib/host/shared_clock.ts";

const file = join(import.meta.dir, "../../lib/host/shared_clock.ts");

const now = () => Bun.nanoseconds() + sharedClockOffsetNs();

test("the shared clock of another process shows the same", async () => {
  const program = `import { sharedClockOffsetNs } from ${JSON.stringify(file)};
    console.log(Bun.nanoseconds() + sharedClockOffsetNs());`;
  const beforeNs = now();
  const child = Bun.spawn([process.execPath, "-e", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const shownNs = Number(await new Response(child.stdout).text());
  const afterNs = now();
  assert.ok(beforeNs < shownNs && shownNs < afterNs, `${beforeNs} ${shownNs} ${afterNs}`);
});

test("the shared clock is the kernel's, and runs as this process's own does", async () => {
  const offsetNs = sharedClockOffsetNs();
  await Bun.sleep(20);
  assert.equal(sharedClockOffsetNs(), offsetNs);
  if (process.platform !== "linux") return;
  const first = monotonicNs();
  const own = now();
  assert.ok(own >= first - 20_000 && own <= monotonicNs() + 20_000);
  const uptime = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]);
  // The uptime counts suspended time too; a machine that runs tests is not suspended.
  assert.ok(Math.abs(uptime - first / 1e9) < 60, `${uptime} ${first}`);
});
