import { test } from "bun:test";
import assert from "node:assert/strict";
import { isOneSlipApart } from "../../lib/cli/similar.ts";

test("isOneSlipApart() finds one character more, less or different, or two swapped", () => {
  const slips = [["rate", "rat"], ["rat", "rate"], ["rate", "rbte"], ["rate", "raet"], ["", "a"]];
  for (const [first = "", second = ""] of slips) {
    assert.ok(isOneSlipApart(first, second), `${first} ${second}`);
    assert.ok(isOneSlipApart(second, first), `${second} ${first}`);
  }
});

test("isOneSlipApart() is false for equal words and for two slips", () => {
  const others = [["rate", "rate"], ["rate", "ra"], ["port", "cert"], ["abcd", "badc"], ["", ""]];
  for (const [first = "", second = ""] of others) {
    assert.ok(!isOneSlipApart(first, second), `${first} ${second}`);
  }
});
