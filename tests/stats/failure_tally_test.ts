import { test } from "bun:test";
import assert from "node:assert/strict";
import { FailureTally } from "../../lib/stats/failure_tally.ts";

test("record() counts by kind and keeps the first", () => {
  const tally = new FailureTally();
  tally.record({ kind: "reset", detail: "ECONNRESET" }, 10);
  tally.record({ kind: "refused", detail: "ECONNREFUSED first" }, 20);
  tally.record({ kind: "refused", detail: "ECONNREFUSED second" }, 30);
  assert.equal(tally.total, 3);
  assert.deepEqual(tally.counts(), [
    { kind: "refused", count: 2, firstAtMs: 20, firstDetail: "ECONNREFUSED first" },
    { kind: "reset", count: 1, firstAtMs: 10, firstDetail: "ECONNRESET" },
  ]);
});

test("counts() are copies", () => {
  const tally = new FailureTally();
  tally.record({ kind: "idle", detail: "" }, 1);
  tally.counts()[0]!.count = 99;
  assert.equal(tally.total, 1);
});

test("add() sums and keeps the earliest first", () => {
  const left = new FailureTally();
  const right = new FailureTally();
  left.record({ kind: "timeout", detail: "late" }, 50);
  right.record({ kind: "timeout", detail: "early" }, 5);
  right.record({ kind: "tls", detail: "expired" }, 7);
  left.add(right.counts());
  left.record({ kind: "tls", detail: "other" }, 60);
  assert.deepEqual(left.counts(), [
    { kind: "timeout", count: 2, firstAtMs: 5, firstDetail: "early" },
    { kind: "tls", count: 2, firstAtMs: 7, firstDetail: "expired" },
  ]);
  assert.equal(right.counts().find(({ kind }) => kind === "tls")?.count, 1);
});
