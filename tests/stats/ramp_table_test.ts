import { test } from "bun:test";
import assert from "node:assert/strict";
import type { RampRow } from "../../lib/stats/ramp.ts";
import { RampTable } from "../../lib/stats/ramp_table.ts";
import { histogramOf, secondOf } from "./ramp_seconds_of.ts";

test("add() makes a row of each second, with its own times", () => {
  const table = new RampTable();
  table.add(secondOf(0, { responsesMs: [1, 2, 9] }));
  table.add(secondOf(1, { responsesMs: [], failed: 2, closed: 3, lost: 4 }));
  const [first, second] = table.rows();
  assert.deepEqual({ ...first, p99Ns: 0 }, {
    fromMs: 0,
    untilMs: 1000,
    connections: 100,
    failed: 0,
    closed: 0,
    sent: 3,
    answered: 3,
    lost: 0,
    meanNs: 4e6,
    minNs: 1e6,
    maxNs: 9e6,
    p99Ns: 0,
  });
  assert.equal(Math.round(first!.p99Ns / 1e6), 9);
  assert.deepEqual([second!.failed, second!.closed, second!.lost, second!.minNs], [2, 3, 4, NaN]);
});

test("rows() never has more than 20 rows, which are the whole ramp", () => {
  for (const seconds of [19, 20, 21, 39, 40, 41, 100, 333, 5000]) {
    const table = new RampTable();
    const all: number[] = [];
    for (let index = 0; index < seconds; index++) {
      const responsesMs = [index + 1, index + 2];
      all.push(...responsesMs);
      table.add(secondOf(index, { responsesMs, failed: 1 }));
    }
    const rows = table.rows();
    assert.ok(rows.length <= 20 && rows.length >= Math.min(seconds, 10), `${rows.length} rows`);
    const sum = (of: (row: RampRow) => number) => rows.reduce((total, row) => total + of(row), 0);
    assert.equal(sum(({ failed }) => failed), seconds);
    assert.equal(sum(({ answered }) => answered), seconds * 2);
    assert.equal(rows[0]!.fromMs, 0);
    assert.equal(rows.at(-1)!.untilMs, seconds * 1000);
    assert.equal(rows.at(-1)!.connections, seconds * 100);
    for (const [index, row] of rows.entries()) {
      assert.equal(row.fromMs, index === 0 ? 0 : rows[index - 1]!.untilMs);
    }
    // Percentiles are those of all messages of the row, never an average.
    const first = rows[0]!;
    const own = histogramOf(all.slice(0, first.answered));
    assert.deepEqual([first.meanNs, first.p99Ns], [own.meanNs, own.percentileNs(99)]);
  }
});

test("add() makes a row of each step", () => {
  const table = new RampTable(10_000);
  for (let index = 0; index < 40; index++) {
    const open = 500 * (1 + Math.floor(index / 10));
    table.add(secondOf(index, { openBefore: open, opened: 0, open }));
  }
  const rows = table.rows();
  assert.deepEqual(rows.map(({ connections }) => connections), [500, 1000, 1500, 2000]);
  assert.deepEqual(rows.map(({ untilMs }) => untilMs), [10_000, 20_000, 30_000, 40_000]);
});
