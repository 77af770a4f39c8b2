import { test } from "bun:test";
import assert from "node:assert/strict";
import { readDescriptorLimits } from "../../lib/host/descriptor_limits.ts";
import { fdLimits } from "../../lib/host/libc.ts";

test("readDescriptorLimits() leaves the limits as they are", () => {
  const before = fdLimits();
  const { soft, hard, reachable, open } = readDescriptorLimits();
  assert.deepEqual(fdLimits(), before);
  assert.deepEqual({ soft, hard }, before);
  assert.ok(reachable >= hard);
  if (process.platform === "linux") assert.ok(open > 2 && open < soft);
});

test("readDescriptorLimits() knows how far the limit can be raised", () => {
  const limits = readDescriptorLimits();
  if (limits.nrOpen === undefined) return;
  const raised = Bun.spawnSync(["/bin/sh", "-c", `ulimit -n ${limits.nrOpen}`]).exitCode === 0;
  assert.equal(limits.reachable >= limits.nrOpen, raised);
});

test("readDescriptorLimits() knows the files of the whole host", async () => {
  if (process.platform !== "linux") return;
  const { fileMax, filesOpen } = readDescriptorLimits();
  const [open, , max] = (await Bun.file("/proc/sys/fs/file-nr").text()).trim().split("\t");
  assert.equal(fileMax, Number(max));
  assert.ok(Math.abs(filesOpen! - Number(open)) < 10_000);
});
