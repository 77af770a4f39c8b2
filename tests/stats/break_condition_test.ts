import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import {
  breakConditions,
  defaultBreakConditions,
  overdueBoundsMs,
  parseBreakCondition,
} from "../../lib/stats/break_condition.ts";
import { type MadeSecond, secondOf } from "./ramp_seconds_of.ts";

function check(condition: string, second: MadeSecond) {
  return parseBreakCondition(condition).check(secondOf(5, second));
}

test("check() holds a count, a share and a time against the bound", () => {
  assert.deepEqual(check("connections.failed>2", { failed: 3 }), { measured: "3" });
  assert.equal(check("connections.failed>3", { failed: 3 }), undefined);
  assert.deepEqual(check("connections.failed>=3", { failed: 3 }), { measured: "3" });
  // Of the attempts that came to their end.
  assert.deepEqual(check("connections.failed>1%", { opened: 75, failed: 25 }), {
    measured: "25.0 % (25)",
  });
  assert.equal(check("connections.failed>1%", { opened: 1000, failed: 10 }), undefined);
  // Of those that were open.
  assert.deepEqual(check("connections.lost>0.1%", { openBefore: 900, opened: 100, closed: 2 }), {
    measured: "0.20 % (2)",
  });
  assert.deepEqual(check("lost>1%", { answered: 90, lost: 10 }), { measured: "10.0 % (10)" });
  assert.deepEqual(check("response.p50>1ms", { responsesMs: [1, 5, 9] }), { measured: "5.00 ms" });
  assert.equal(check("response.max>9ms", { responsesMs: [1, 5, 8] }), undefined);
  assert.deepEqual(check("connect.mean>2ms", { connectsMs: [2, 4] }), { measured: "3.00 ms" });
});

test("check() says none where the second has no data", () => {
  assert.equal(check("connections.failed>0", { opened: 0 }), "none");
  assert.equal(check("connections.lost>0", { openBefore: 0, opened: 0 }), "none");
  assert.equal(check("lost>0", { answered: 0 }), "none");
  assert.equal(check("response.p99>1s", { responsesMs: [] }), "none");
  assert.equal(check("connect.p99>1s", { connectsMs: [] }), "none");
});

test("check() counts the messages that wait for longer than the bound as slow", () => {
  const overdue = [{ afterMs: 1000, count: 1 }];
  // Nothing was answered: one that waits is all there is.
  assert.deepEqual(check("response.p99>1s", { responsesMs: [], overdue }), {
    measured: "1.00 s, 1 still waiting",
  });
  // 1 of 200 waits: the 99th percentile is among the answers.
  const responsesMs = Array.from({ length: 199 }, () => 2);
  assert.equal(check("response.p99>1s", { responsesMs, overdue }), undefined);
  assert.deepEqual(check("response.p99>1s", { responsesMs: responsesMs.slice(0, 98), overdue }), {
    measured: "1.00 s, 1 still waiting",
  });
  // Those of another bound do not count.
  assert.equal(
    check("response.p99>1s", { responsesMs, overdue: [{ afterMs: 500, count: 999 }] }),
    undefined,
  );
});

test("breakConditions() keeps the defaults about metrics that are not named", () => {
  const texts = (given: readonly string[]) => breakConditions(given).map(({ text }) => text);
  assert.deepEqual(texts([]), defaultBreakConditions);
  assert.deepEqual(texts(["response.p99>20ms", "connections.lost>0"]), [
    "response.p99>20ms",
    "connections.lost>0",
    "connections.failed>1%",
    "lost>0.1%",
  ]);
  const bounds = breakConditions(["response.p50>20ms", "connect.p99>1s", "response.p90>20ms"]);
  assert.deepEqual(overdueBoundsMs(bounds), [20, 1000]);
});

test("parseBreakCondition() refuses what it does not know, in one line", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["response.p99", /not of the form/],
    ["response.p99<1s", /not of the form/],
    ["speed>1", /unknown metric "speed".*connections.failed/],
    ["response.p101>1s", /unknown metric/],
    ["service.p99>1s", /unknown metric/],
    ["response.p99>1", /condition "response.p99>1" has the limit "1"; a duration/],
    ["response.p99>1%", /a duration was expected/],
    ["lost>1s", /a count was expected/],
    ["", /not of the form/],
  ];
  for (const [text, expected] of cases) {
    assert.throws(() => parseBreakCondition(text), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, expected);
      return !error.message.includes("\n");
    });
  }
});
