import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import { instant } from "../../lib/options/instant.ts";
import { workers } from "../../lib/options/workers.ts";

test("workers reads a number of processes, or auto", () => {
  assert.equal(workers.parse("4"), 4);
  assert.equal(workers.parse("auto"), "auto");
  assert.equal(workers.parse("AUTO"), "auto");
  assert.equal(workers.format("auto"), "auto");
  assert.equal(workers.parse(workers.format(12)), 12);
  for (const text of ["", "0", "-1", "1.5", "many", "1025", "1M"]) {
    assert.throws(() => workers.parse(text), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /write one from 1 to 1024, or auto$/);
      return true;
    }, text);
  }
});

test("instant reads ISO 8601, seconds since 1970 and times of this day", () => {
  const ms = Date.UTC(2026, 6, 1, 12, 0, 30);
  assert.equal(instant.parse("2026-07-01T12:00:30Z"), ms);
  assert.equal(instant.parse("2026-07-01T14:00:30.250+02:00"), ms + 250);
  assert.equal(instant.parse("2026-07-01T12:00:30"), new Date(2026, 6, 1, 12, 0, 30).getTime());
  assert.equal(instant.parse(String(ms / 1000)), ms);
  assert.equal(instant.parse(`${ms / 1000}.5`), ms + 500);
  assert.equal(instant.parse(instant.format(ms)), ms);
  for (const [text, seconds] of [["7:05", 0], ["07:05", 0], ["07:05:09", 9], ["7:05:09.5", 9.5]]) {
    const read = new Date(instant.parse(String(text)));
    assert.deepEqual([read.getHours(), read.getMinutes()], [7, 5]);
    assert.equal(read.getSeconds() + read.getMilliseconds() / 1000, seconds);
    assert.ok(Math.abs(read.getTime() - Date.now()) < 25 * 3600 * 1000);
  }
  for (
    const text of ["", "noon", "24:00", "12:60", "12", "2026-07-01", "2026-13-01T12:00", "1e9"]
  ) {
    assert.throws(() => instant.parse(text), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /is no instant; write /);
      return true;
    }, text);
  }
});
