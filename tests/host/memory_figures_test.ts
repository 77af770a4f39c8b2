import { test } from "bun:test";
import assert from "node:assert/strict";
import { parseMemTotal, parseVmSize, readMemoryFigures } from "../../lib/host/memory_figures.ts";
import { brokenTexts, isCount } from "./broken_text.ts";

const meminfo = `MemTotal:       24684084 kB
MemFree:        24058580 kB
MemAvailable:   24122736 kB
Buffers:           41668 kB
`;

const status = `Name:\tbun
State:\tR (running)
VmPeak:\t72899760 kB
VmSize:\t72899728 kB
VmRSS:\t   42032 kB
`;

test("parseMemTotal() and parseVmSize() read their line in bytes", () => {
  assert.equal(parseMemTotal(meminfo), 24684084 * 1024);
  assert.equal(parseVmSize(status), 72899728 * 1024);
  for (const text of ["", "MemTotal: 5", "VmSize:\t-1 kB", "xMemTotal: 5 kB", "VmSize: kB"]) {
    assert.equal(parseMemTotal(text), undefined);
    assert.equal(parseVmSize(text), undefined);
  }
});

test("parseMemTotal() and parseVmSize() take broken text without error or nonsense", () => {
  for (const text of brokenTexts(meminfo)) assert.ok(isCount(parseMemTotal(text)));
  for (const text of brokenTexts(status)) assert.ok(isCount(parseVmSize(text)));
});

test("readMemoryFigures() reads this host", () => {
  const figures = readMemoryFigures();
  assert.ok(figures.availableBytes > 0 && figures.availableBytes < figures.totalBytes);
  assert.equal(figures.usedBytes + figures.availableBytes, figures.totalBytes);
  if (process.platform !== "linux") return;
  assert.ok(figures.virtualBytes >= process.memoryUsage.rss(), String(figures.virtualBytes));
});
