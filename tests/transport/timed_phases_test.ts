import { test } from "bun:test";
import assert from "node:assert/strict";
import { TimedPhases } from "../../lib/transport/timed_phases.ts";
import { until } from "./recorder.ts";

const [free, first, second, open] = [0, 1, 2, 3];
const limitMs = 80;

/** Phases of which the first and the second may last `limitMs`, and what has expired. */
function makePhases() {
  const expired: [id: number, phase: number, atMs: number][] = [];
  const limits = [Infinity, limitMs, limitMs, Infinity];
  const phases = new TimedPhases(4, limits, (id, phase) => {
    expired.push([id, phase, performance.now()]);
    phases.enter(id, free);
  });
  return { phases, expired };
}

test("TimedPhases tells of those that last too long, and of no others", async () => {
  const { phases, expired } = makePhases();
  const startMs = performance.now();
  for (const id of [0, 1, 2]) phases.enter(id, first);
  phases.enter(1, open);
  phases.enter(2, free);
  assert.deepEqual([...phases.current], [first, open, free, free]);
  await until(() => expired.length > 0, "the first one expires");
  const [[id, phase, atMs] = [NaN, NaN, NaN]] = expired;
  assert.deepEqual([id, phase], [0, first]);
  assert.ok(atMs - startMs >= limitMs - 1, `after ${atMs - startMs} ms`);
  await Bun.sleep(2 * limitMs);
  assert.equal(expired.length, 1);
  assert.deepEqual([...phases.current], [free, open, free, free]);

  // Its timer has ended, and starts again.
  phases.enter(3, second);
  await until(() => expired.length > 1, "the next one expires");
  assert.deepEqual(expired[1]!.slice(0, 2), [3, second]);
});

test("TimedPhases gives a phase its own time, or what the one before has left", async () => {
  const { phases, expired } = makePhases();
  phases.enter(0, first);
  phases.enter(1, first);
  await Bun.sleep(limitMs / 2);
  const middleMs = performance.now();
  phases.goOn(0, second);
  phases.enter(1, second);
  await until(() => expired.length === 2, "both expire");
  assert.deepEqual(expired.map(([id, phase]) => [id, phase]), [[0, second], [1, second]]);
  // A tick apart is enough to tell them apart.
  assert.ok(expired[1]![2] - middleMs >= limitMs - 1);
  assert.ok(expired[0]![2] < expired[1]![2]);
});

test("TimedPhases has no timer once it is stopped", async () => {
  const { phases, expired } = makePhases();
  phases.enter(0, first);
  phases.stop();
  await Bun.sleep(3 * limitMs);
  assert.deepEqual(expired, []);
});
