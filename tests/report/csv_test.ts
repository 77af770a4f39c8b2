import { test } from "bun:test";
import assert from "node:assert/strict";
import { CsvLog } from "../../lib/report/csv.ts";
import { seededRandom } from "../stats/seeded_random.ts";

function logTo(chunks: Uint8Array[], clock = { epochMs: 1_772_366_400_250, atNs: 5_000 }): CsvLog {
  return new CsvLog({ write: (bytes) => void chunks.push(bytes.slice()), close: () => {} }, clock);
}

function linesOf(chunks: readonly Uint8Array[]): string[] {
  return Buffer.concat(chunks).toString().split("\n");
}

test("rows have the columns of tcpscaler", () => {
  const chunks: Uint8Array[] = [];
  const log = logTo(chunks);
  // 5,000 ns on the monotonic clock are 1772366400.25 s since the epoch.
  log.query(5_000, 0, 0, 0, NaN);
  log.query(5_001, 4_999, 65_535, 12, 1_234.9);
  log.answer(750_005_000, 7, 42, 51.9);
  log.query(749_999_999 + 5_000, 1, 2, 3, 0);
  log.query(1, 1, 1, 1, 1);
  log.flush();
  assert.deepEqual(linesOf(chunks), [
    "type,timestamp,connection_id,query_id,poisson_id,poisson_interval_us,rtt_us",
    "Q,1772366400.250000000,0,0,0,,",
    "Q,1772366400.250000001,4999,65535,12,1234,",
    "A,1772366401.000000000,7,42,,,51",
    "Q,1772366400.999999999,1,2,3,0,",
    "Q,1772366400.249995001,1,1,1,1,",
    "",
  ]);
});

test("every number is written as it is, whatever its size", () => {
  const chunks: Uint8Array[] = [];
  const log = logTo(chunks);
  const random = seededRandom(31);
  const expected: string[] = [];
  const numbers = [
    ...[0, 9, 10, 99, 100, 999, 1_000, 9_999, 999_999, 1_000_000, 999_999_999, 1_000_000_000],
    ...[2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 1e9 + 1, 5e12 + 7, Number.MAX_SAFE_INTEGER],
    ...Array.from({ length: 5_000 }, () => Math.floor(2 ** (random() * 53))),
  ];
  for (const number of numbers) {
    log.answer(5_000, number, number % 65_536, number);
    expected.push(`A,1772366400.250000000,${number},${number % 65_536},,,${number}`);
  }
  log.answer(5_000, 1, 1, -3);
  log.answer(5_000, 1, 1, NaN);
  expected.push(...Array(2).fill("A,1772366400.250000000,1,1,,,0"));
  log.flush();
  assert.deepEqual(linesOf(chunks).slice(1, -1), expected);
});

test("timestamps follow the monotonic clock over days", () => {
  const chunks: Uint8Array[] = [];
  const log = logTo(chunks, { epochMs: 1_772_366_400_999.999, atNs: 3e14 });
  const random = seededRandom(32);
  const base = 1_772_366_400n * 1_000_000_000n + 999_999_999n;
  const times = Array.from({ length: 2_000 }, () => 3e14 + Math.floor(random() * 2e14));
  for (const time of times) log.query(time, 1, 1, 0, NaN);
  log.flush();
  const lines = linesOf(chunks).slice(1, -1);
  for (const [index, time] of times.entries()) {
    const [seconds, ns] = lines[index]!.split(",")[1]!.split(".");
    const written = BigInt(seconds!) * 1_000_000_000n + BigInt(ns!);
    const exact = base + BigInt(time) - BigInt(3e14);
    // The wall clock is a double of milliseconds, good to about 0.2 µs.
    const difference = Number(written - exact);
    assert.ok(Math.abs(difference) < 1_000, `${lines[index]}: ${difference} ns`);
    assert.equal(ns!.length, 9);
  }
});

test("chunks end with whole rows and lose none", () => {
  const chunks: Uint8Array[] = [];
  const log = logTo(chunks);
  for (let i = 0; i < 20_000; i++) log.query(5_000 + i, i, i & 65_535, 0, i);
  log.flush();
  log.flush();
  assert.ok(chunks.length > 5);
  for (const chunk of chunks) {
    assert.ok(chunk.length > 0 && chunk.length <= 65_536);
    assert.equal(chunk.at(-1), 10);
  }
  const lines = linesOf(chunks).slice(1, -1);
  assert.equal(lines.length, 20_000);
  for (const [i, line] of lines.entries()) assert.ok(line.endsWith(`,${i},${i & 65_535},0,${i},`));
});

test("the longest possible row fits", () => {
  const chunks: Uint8Array[] = [];
  const log = logTo(chunks);
  const most = Number.MAX_SAFE_INTEGER;
  for (let i = 0; i < 2_000; i++) log.query(5_000, 2 ** 32 - 1, 2 ** 32 - 1, 2 ** 32 - 1, most);
  log.flush();
  const row = `Q,1772366400.250000000,4294967295,4294967295,4294967295,${most},`;
  assert.deepEqual(new Set(linesOf(chunks).slice(1, -1)), new Set([row]));
});
