import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  formatBytes,
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatRate,
  formatShare,
} from "../../lib/stats/figures.ts";

function table<T>(format: (value: T) => string, rows: readonly (readonly [T, string])[]): void {
  for (const [value, text] of rows) assert.equal(format(value), text);
}

test("formatDuration() picks the unit that keeps three digits readable", () => {
  table(formatDuration, [
    [0, "0 ns"],
    [7.4, "7 ns"],
    [999, "999 ns"],
    [1_000, "1.00 µs"],
    [12_345, "12.3 µs"],
    [999_499, "999 µs"],
    [999_500, "1.00 ms"],
    [1_234_567, "1.23 ms"],
    [59_999_999_999, "60.0 s"],
    [3_600_000_000_000, "3600 s"],
    [NaN, "–"],
    [-1_500, "-1.50 µs"],
  ]);
});

test("formatElapsed() grows from seconds to hours", () => {
  table(formatElapsed, [
    [0, "0.0 s"],
    [75_040, "75.0 s"],
    [119_949, "119.9 s"],
    [120_000, "2 min 0 s"],
    [725_000, "12 min 5 s"],
    [7_500_000, "2 h 5 min"],
    [NaN, "–"],
  ]);
});

test("formatCount() sets thousands apart", () => {
  table(formatCount, [
    [0, "0"],
    [999, "999"],
    [1_000, "1,000"],
    [1_234_567, "1,234,567"],
    [-1_000, "-1,000"],
    [-0.2, "0"],
    [NaN, "–"],
    [2 ** 53, "9,007,199,254,740,992"],
  ]);
});

test("formatRate() shows decimals of small rates only", () => {
  table(formatRate, [[0, "0/s"], [0.25, "0.250/s"], [12.34, "12.3/s"], [50, "50/s"], [
    49_998.2,
    "49,998/s",
  ], [Infinity, "–"]]);
});

test("formatBytes() uses decimal units", () => {
  table(formatBytes, [[0, "0 B"], [999, "999 B"], [1_000, "1.00 kB"], [1_550_000, "1.55 MB"], [
    999_999,
    "1.00 MB",
  ], [5e15, "5000 TB"]]);
});

test("formatShare() is 100 % or 0 % only where that is exact", () => {
  table(formatShare, [
    [1, "100 %"],
    [0, "0 %"],
    [0.999999, "99.9999 %"],
    [0.000001, "0.0001 %"],
    [1 - 1e-15, "100 %"],
    [1 + 1e-15, "100 %"],
    [1 - 2e-12, "99.9999999998 %"],
    [2e-12, "0.0000000002 %"],
    [0.9982, "99.82 %"],
    [0.8, "80.0 %"],
    [0.125, "12.5 %"],
    [0.0234, "2.3 %"],
    [1.002, "100.20 %"],
    [1.5, "150 %"],
    [NaN, "–"],
  ]);
});

test("formatCores() counts cores", () => {
  table(formatCores, [[0.98, "0.98 of a core"], [1, "1.00 of a core"], [2.314, "2.31 cores"]]);
});
