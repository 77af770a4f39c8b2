import { test } from "bun:test";
import assert from "node:assert/strict";
import { SilenceWatch } from "../../lib/load/silence_watch.ts";

function build() {
  const answered = [-1, -1];
  return { answered, watch: new SilenceWatch(2, (id) => answered[id]!) };
}

test("three messages in a row without an answer are a silence, from the first of them on", () => {
  const { watch } = build();
  assert.equal(watch.timedOut(0, 5, 100), false);
  assert.equal(watch.timedOut(1, 6, 110), false);
  assert.equal(watch.timedOut(0, 7, 120), false);
  assert.equal(watch.missedOn(0), 2);
  assert.equal(watch.timedOut(0, 8, 130), true);
  assert.deepEqual([watch.missedOn(0), watch.sinceNsOn(0), watch.missedOn(1)], [3, 100, 1]);
  watch.forget(0);
  assert.equal(watch.missedOn(0), 0);
  assert.equal(watch.timedOut(0, 9, 140), false);
});

test("an answer in between ends the silence", () => {
  const { watch, answered } = build();
  watch.timedOut(0, 1, 10);
  watch.timedOut(0, 2, 20);
  answered[0] = 3;
  assert.equal(watch.missedOn(0), 0);
  assert.equal(watch.timedOut(0, 4, 40), false);
  assert.deepEqual([watch.missedOn(0), watch.sinceNsOn(0)], [1, 40]);
  assert.equal(watch.timedOut(0, 5, 50), false);
  assert.equal(watch.timedOut(0, 6, 60), true);
});

test("messages that were lost before others were answered are no silence", () => {
  const { watch, answered } = build();
  answered[0] = 100;
  for (let sequence = 1; sequence < 100; sequence++) {
    assert.equal(watch.timedOut(0, sequence, sequence), false);
  }
  assert.equal(watch.missedOn(0), 0);
});

test("takeMissed() gives what had timed out when the first answer came, once", () => {
  const { watch, answered } = build();
  watch.timedOut(0, 1, 10);
  watch.timedOut(0, 2, 20);
  answered[0] = 3;
  assert.equal(watch.takeMissed(0), 2);
  assert.equal(watch.takeMissed(0), 0);
});
