import { test } from "bun:test";
import assert from "node:assert/strict";
import { breakConditions } from "../../lib/stats/break_condition.ts";
import { KneeDetector } from "../../lib/stats/knee_detector.ts";
import type { Knee } from "../../lib/stats/ramp.ts";
import { type MadeSecond, secondOf } from "./ramp_seconds_of.ts";

const refusing: MadeSecond = { opened: 50, failed: 50 };
const slow: MadeSecond = { responsesMs: [1500] };
const held: MadeSecond = { opened: 0 };

/** The knee and the number of the second that showed it, of seconds 0, 1, 2 … */
function run(
  seconds: readonly MadeSecond[],
  replyTimeoutMs = 5000,
): { knee: Knee | undefined; after: number; detector: KneeDetector } {
  const detector = new KneeDetector({ conditions: breakConditions([]), replyTimeoutMs });
  for (const [index, made] of seconds.entries()) {
    const knee = detector.next(secondOf(index, made));
    if (knee !== undefined) return { knee, after: index, detector };
  }
  return { knee: undefined, after: NaN, detector };
}

test("next() finds a knee in the third bad second running, and dates it to the first", () => {
  const { knee, after } = run([{}, {}, refusing, refusing, refusing]);
  assert.equal(after, 4);
  assert.deepEqual(knee, {
    atMs: 2000,
    connections: 250,
    broken: [{ condition: "connections.failed>1%", measured: "50.0 % (50)" }],
    affected: "new",
  });
});

test("next() forgives one or two bad seconds", () => {
  const series = [{}, refusing, refusing, {}, slow, slow, {}, refusing, {}];
  assert.equal(run(series).knee, undefined);
});

test("next() adds up bad seconds of different kinds", () => {
  const { knee } = run([{}, slow, refusing, { closed: 20 }]);
  assert.equal(knee?.atMs, 1000);
  assert.equal(knee.affected, "both");
  assert.deepEqual(knee.broken.map(({ condition }) => condition), [
    "response.p99>1s",
    "connections.failed>1%",
    "connections.lost>0.1%",
  ]);
});

test("next() says that open connections failed where new ones did not", () => {
  const { knee } = run([{}, slow, slow, slow]);
  assert.equal(knee?.affected, "existing");
  assert.equal(knee.connections, 100);
});

test("next() lets a held step neither break nor mend the opening", () => {
  // Steps of one second, held for two: the answers are fine all the time.
  const steps = [{}, held, held, refusing, held, held, refusing, held, held, refusing];
  const { knee, after } = run(steps);
  assert.equal(after, 9);
  assert.equal(knee?.atMs, 3000);
  const mended = [refusing, held, refusing, held, {}, held, refusing, held, refusing];
  assert.equal(run(mended).knee, undefined);
});

test("next() dates losses to when the messages were due", () => {
  const losing: MadeSecond = { answered: 90, lost: 10 };
  const series = [{}, {}, {}, {}, {}, {}, {}, losing, losing, losing];
  const { knee } = run(series, 5000);
  assert.equal(knee?.atMs, 2000);
  assert.equal(knee.connections, 200);
  assert.equal(run([losing, losing, losing], 5000).knee?.atMs, 0);
});

test("next() keeps the first knee", () => {
  const { knee, detector } = run([{}, slow, slow, slow]);
  assert.equal(detector.next(secondOf(9, refusing)), knee);
  assert.equal(detector.knee, knee);
});

test("endOfAttempts() takes the last attempts for the knee, if they failed", () => {
  const short = run([{}, {}, refusing, held]);
  assert.equal(short.knee, undefined);
  assert.equal(short.detector.endOfAttempts()?.connections, 250);
  assert.equal(run([{}, refusing, {}, held]).detector.endOfAttempts(), undefined);
  assert.equal(run([{}, {}, slow]).detector.endOfAttempts(), undefined);
});
