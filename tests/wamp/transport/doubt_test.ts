import { test } from "bun:test";
import assert from "node:assert/strict";
import { Doubt } from "../../../lib/wamp/transport/doubt.ts";

test("Doubt gives what waited in its order when the right ping is answered, and to nobody else", () => {
  const taken: string[] = [];
  const doubt = new Doubt<string>({ check() {} }, (message) => taken.push(message));
  const earlier = doubt.begin();
  doubt.hold("one");
  const token = doubt.begin();
  doubt.hold("two");
  doubt.answered(new Uint8Array(0));
  doubt.answered(earlier);
  assert.equal(doubt.isOpen, true);
  assert.deepEqual(taken, []);
  doubt.answered(token);
  assert.equal(doubt.isOpen, false);
  assert.deepEqual(taken, ["one", "two"]);
  doubt.answered(token);
  assert.deepEqual(taken, ["one", "two"]);

  const last = doubt.begin();
  doubt.hold("three");
  doubt.end();
  doubt.answered(last);
  assert.deepEqual(taken, ["one", "two"]);
  assert.equal(doubt.isOpen, false);
});

test("Doubt ends when more has come than the kernel can have kept", () => {
  let taken = 0;
  const doubt = new Doubt<Uint8Array>({ check() {} }, () => taken++);
  doubt.begin();
  const message = new Uint8Array(4 * 2 ** 20);
  for (let count = 1; count <= 4; count++) doubt.hold(message);
  assert.equal(taken, 0);
  doubt.hold(message);
  assert.equal(taken, 5);
  assert.equal(doubt.isOpen, false);
});

test("Doubt ends after a time in which the process does not stand still", async () => {
  const taken: string[] = [];
  let isStill = true;
  const standstill = {
    check() {
      if (isStill) doubt.begin();
      isStill = false;
    },
  };
  const doubt = new Doubt<string>(standstill, (message) => taken.push(message));
  doubt.begin();
  doubt.hold("one");
  const startMs = performance.now();
  while (doubt.isOpen) await Bun.sleep(5);
  assert.ok(performance.now() - startMs > 1900);
  assert.deepEqual(taken, ["one"]);
});

test("Doubt does not begin anew without end", () => {
  const doubt = new Doubt<string>({ check() {} }, () => {});
  const tokens = new Set(Array.from({ length: 20 }, () => `${doubt.begin()}`));
  assert.equal(tokens.size, 5);
  doubt.end();
});
