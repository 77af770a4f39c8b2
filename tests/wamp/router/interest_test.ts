import { test } from "bun:test";
import assert from "node:assert/strict";
import { Interest } from "../../../lib/wamp/router/interest.ts";

test("Interest lets clients join at once where nobody has to know", () => {
  const interest = new Interest();
  let announced = 0;
  let joined = 0;
  const announce = () => void announced++ as undefined;
  for (let client = 0; client < 3; client++) interest.add(announce, () => joined++);
  assert.deepEqual([announced, joined, interest.count], [1, 3, 3]);
  assert.deepEqual([interest.remove(), interest.remove(), interest.remove()], [false, false, true]);
  interest.add(announce, () => joined++);
  assert.deepEqual([announced, joined, interest.count], [2, 4, 1]);
});

test("Interest has those wait in order that come before other routers know", async () => {
  const interest = new Interest();
  const known = Promise.withResolvers<string | undefined>();
  const joined: number[] = [];
  interest.add(() => known.promise, () => joined.push(1));
  interest.add(() => assert.fail("announced twice"), () => joined.push(2));
  await Bun.sleep(0);
  assert.equal(joined.length, 0);
  known.resolve(undefined);
  await Bun.sleep(0);
  assert.deepEqual(joined, [1, 2]);
  interest.add(() => assert.fail("announced twice"), () => joined.push(3));
  assert.deepEqual(joined, [1, 2, 3]);
});

test("Interest that was lost and comes again is not known by the answer of before", async () => {
  const interest = new Interest();
  const [before, now] = [
    Promise.withResolvers<string | undefined>(),
    Promise.withResolvers<string | undefined>(),
  ];
  const joined: number[] = [];
  interest.add(() => before.promise, () => joined.push(1));
  assert.equal(interest.remove(), true);
  interest.add(() => now.promise, () => joined.push(2));
  before.resolve(undefined);
  await Bun.sleep(0);
  interest.add(() => assert.fail("announced twice"), () => joined.push(3));
  await Bun.sleep(0);
  // The first was told to wait for the answer of before, and says itself that it has gone.
  assert.deepEqual(joined, [1]);
  now.resolve(undefined);
  await Bun.sleep(0);
  assert.deepEqual(joined, [1, 2, 3]);
});

test("Interest tells those that wait that they are refused, and nobody after them", async () => {
  const interest = new Interest();
  const refusals: (string | undefined)[] = [];
  const add = (answer: Promise<string | undefined> | undefined) =>
    interest.add(() => answer, (refusal) => refusals.push(refusal));
  add(Promise.resolve("by another router"));
  await Bun.sleep(0);
  assert.equal(interest.isWaiting, false);
  interest.remove();
  add(Promise.resolve(undefined));
  interest.refuse("by this router");
  await Bun.sleep(0);
  interest.remove();
  add(Promise.resolve(undefined));
  await Bun.sleep(0);
  interest.remove();
  add(undefined);
  assert.deepEqual(refusals, ["by another router", "by this router", undefined, undefined]);
});
