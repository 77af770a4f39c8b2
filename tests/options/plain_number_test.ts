import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import { milliseconds, seconds } from "../../lib/options/plain_number.ts";

test("milliseconds and seconds are numbers without their unit", () => {
  for (const kind of [milliseconds, seconds]) {
    for (const text of ["1000", "0.5", "3", ".25"]) {
      assert.equal(kind.parse(text), Number(text));
      assert.equal(kind.parse(kind.format(kind.parse(text))), Number(text));
    }
    for (const text of ["", "0", "-1", "1s", "1e3", "NaN", "99999999999"]) {
      assert.throws(() => kind.parse(text), UsageError);
    }
  }
  assert.throws(() => seconds.parse("5m"), /"5m" is not a number of seconds from 0\.01 to 2073600/);
});
