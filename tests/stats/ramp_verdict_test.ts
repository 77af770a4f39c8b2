import { test } from "bun:test";
import assert from "node:assert/strict";
import { exitCodes } from "../../lib/errors.ts";
import { parseExpectation } from "../../lib/stats/expectations.ts";
import type { RampReport } from "../../lib/stats/ramp.ts";
import { judgeRamp, rampExitCode } from "../../lib/stats/ramp_verdict.ts";
import type { ClientSnapshot, Verdict } from "../../lib/stats/snapshot.ts";
import { judge } from "../../lib/stats/verdict.ts";
import { clientSnapshot, messages, rampReport } from "./sample_snapshots.ts";

function verdictOf(snapshot: ClientSnapshot, ...expectations: string[]): Verdict {
  const settings = {
    expectations: expectations.map(parseExpectation),
    maxLatenessP99Ns: 10e6,
  };
  return judgeRamp(judge(snapshot, settings), snapshot);
}

const limitOf = (side: "client" | "server" | "path" | "peer-or-path"): RampReport => ({
  ...rampReport(),
  limit: { ...rampReport().limit!, side },
});

test("judgeRamp() makes the limit the verdict, with where it began", () => {
  const verdict = verdictOf(clientSnapshot({ ramp: rampReport() }));
  assert.equal(verdict.kind, "stopped-by-limit");
  assert.deepEqual(verdict.reasons, [
    "Issues started at 700 active connections, after 1.0 s: new ones could not be opened, open ones " +
    "went on (connections.failed>1%: 41.0 % (41)).",
    "The target refuses new connections.",
  ]);
});

test("judgeRamp() lets expectations fail on a limit of the target, not on one of this host", () => {
  const missed = "connections.open>=1M";
  const ofTarget = verdictOf(clientSnapshot({ ramp: limitOf("server") }), missed, "lost==0");
  assert.equal(ofTarget.kind, "expectation-failed");
  assert.match(ofTarget.reasons.at(-1)!, /^1 of 2 expectations failed/);
  assert.equal(
    verdictOf(clientSnapshot({ ramp: limitOf("server") }), "lost==0").kind,
    "stopped-by-limit",
  );
  const ofHost = verdictOf(clientSnapshot({ ramp: limitOf("client") }), missed);
  assert.equal(ofHost.kind, "stopped-by-limit");
});

test("judgeRamp() says that a ramp held where nothing broke", () => {
  const ramp = { ...rampReport(), knee: undefined, limit: undefined };
  const verdict = verdictOf(clientSnapshot({ ramp }));
  assert.equal(verdict.kind, "ok");
  assert.match(
    verdict.reasons[0]!,
    /^All 5,000 connections were opened and held, and nothing broke/,
  );
});

test("judgeRamp() leaves other ends as they are", () => {
  const plain = clientSnapshot();
  assert.deepEqual(verdictOf(plain), judge(plain, { expectations: [], maxLatenessP99Ns: 10e6 }));
  const interrupted = clientSnapshot({ ramp: rampReport(), interrupted: true });
  assert.equal(verdictOf(interrupted).kind, "ok");
  // Nothing was ever open: that is no knee, but a target that is not there.
  const { connections } = clientSnapshot();
  const unreachable = clientSnapshot({
    ramp: rampReport(),
    connections: {
      ...connections,
      opened: 0,
      open: 0,
      failed: 5000,
      failures: [{ kind: "refused", count: 5000, firstAtMs: 1, firstDetail: "ECONNREFUSED" }],
    },
  });
  assert.match(verdictOf(unreachable).reasons[0]!, /^No connection could be opened/);
  const mute = messages(100, {
    answered: 0,
    lost: { timeout: 100, closed: 0, corrupted: 0, unanswered: 0 },
  });
  const silent = clientSnapshot({ ramp: rampReport(), messages: mute, steady: mute });
  assert.match(verdictOf(silent).reasons[0]!, /^No message was answered/);
});

test("rampExitCode() is 0 for what the ramp was to find, and 5 for a limit of this host", () => {
  const code = (side: "client" | "server" | "path" | "peer-or-path") => {
    const snapshot = clientSnapshot({ ramp: limitOf(side) });
    return rampExitCode(snapshot.ramp, verdictOf(snapshot));
  };
  assert.equal(code("server"), exitCodes.ok);
  assert.equal(code("path"), exitCodes.ok);
  assert.equal(code("peer-or-path"), exitCodes.ok);
  assert.equal(code("client"), exitCodes.hostLimit);
  const plain = clientSnapshot();
  assert.equal(rampExitCode(plain.ramp, verdictOf(plain)), undefined);
  // Stopped by something else than the limit of the ramp.
  const other: Verdict = { kind: "stopped-by-limit", reasons: ["No answer."], expectations: [] };
  assert.equal(rampExitCode(rampReport(), other), undefined);
});
