import { test } from "bun:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { HostLimitError } from "../../lib/errors.ts";
import { fdLimits, setFdLimits } from "../../lib/host/libc.ts";
import {
  availableMemoryBytes,
  ensureFds,
  ephemeralPorts,
  fdComplaint,
  parseMemAvailable,
  parsePortRange,
  readHostLimits,
} from "../../lib/host/limits.ts";

const onLinux = process.platform === "linux";

test.if(onLinux)("readHostLimits() agrees with the kernel's own files", () => {
  const limits = readHostLimits();
  const line = /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
  assert.equal(limits.fdSoftLimit, Number(line?.[1]));
  assert.equal(limits.fdHardLimit, Number(line?.[2]));
  assert.ok(limits.openFds >= 3);
  const range = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s+/);
  assert.deepEqual(limits.ephemeralPorts, { first: Number(range[0]), last: Number(range[1]) });
  assert.ok(limits.availableMemoryBytes > 1e6 && limits.availableMemoryBytes <= totalmem());
});

test("ensureFds() accepts what the limit allows", () => {
  ensureFds(0);
  ensureFds(fdLimits().soft - 100, 100);
});

test.if(onLinux)("ensureFds() raises the soft limit where the hard one allows it", () => {
  const before = fdLimits();
  try {
    assert.equal(setFdLimits({ soft: 500, hard: before.hard }), true);
    ensureFds(900, 50);
    assert.equal(fdLimits().soft, 950);
    assert.equal(fdLimits().hard, before.hard);
  } finally {
    setFdLimits(before);
  }
});

test.if(onLinux)("ensureFds() says which limit to raise, and how", () => {
  const before = fdLimits();
  try {
    ensureFds(10_000_000_000);
    assert.fail("no error");
  } catch (thrown) {
    assert.ok(thrown instanceof HostLimitError, String(thrown));
    assert.match(thrown.message, /^10000000000 connections take 10000000100 file descriptors/);
    assert.match(thrown.message, /ulimit -n 10000000100/);
    assert.match(thrown.message, new RegExp(`at most ${fdLimits().soft - 100} connections$`));
  } finally {
    setFdLimits(before);
  }
});

test("fdComplaint() names the mend that fits the limit in the way", () => {
  assert.equal(fdComplaint(900, 100, 1000, 1000), undefined);
  assert.equal(
    fdComplaint(901, 100, 1000, 5000),
    "901 connections take 1001 file descriptors, and this process may open 1000; " +
      'run "ulimit -n 1001" first, or ask for at most 900 connections',
  );
  assert.match(fdComplaint(6000, 100, 1000, 5000, 9000)!, /"ulimit -n 6100" as root.* of 5000/);
  assert.match(fdComplaint(9000, 100, 1000, 5000, 9000)!, /"sysctl fs.nr_open=9100" and "ulimit/);
  assert.match(fdComplaint(50, 100, 80, 80)!, /at most 0 connections/);
  assert.equal(fdComplaint(1e9, 100, Infinity, Infinity), undefined);
});

test("parsePortRange() takes two ports in order, and nothing else", () => {
  assert.deepEqual(parsePortRange("32768\t60999\n"), { first: 32768, last: 60999 });
  for (const text of ["", "32768", "60999\t32768", "1 70000", "a b", "1 2 3", "-1 5"]) {
    assert.equal(parsePortRange(text), undefined);
  }
});

test("parseMemAvailable() finds its line, and nothing in truncated text", () => {
  const text = "MemTotal:       100 kB\nMemFree:  5 kB\nMemAvailable:   20 kB\nBuffers: 1 kB\n";
  assert.equal(parseMemAvailable(text), 20 * 1024);
  for (let end = 0; end < text.indexOf("20 kB"); end++) {
    assert.equal(parseMemAvailable(text.slice(0, end)), undefined);
  }
});

test("ephemeralPorts() and availableMemoryBytes() answer on every system", () => {
  const range = ephemeralPorts();
  assert.ok(range === undefined || range.first <= range.last);
  assert.ok(availableMemoryBytes() > 0);
});
