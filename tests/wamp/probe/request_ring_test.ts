import { test } from "bun:test";
import assert from "node:assert/strict";
import { DueHeap } from "../../../lib/wamp/probe/due_heap.ts";
import { requestKinds, RequestRing } from "../../../lib/wamp/probe/request_ring.ts";
import { seededRandom } from "../../stats/seeded_random.ts";

const { publish } = requestKinds;

test("RequestRing finds what waits, and gives up what is older than a bound", () => {
  const ring = new RequestRing(2, 8);
  for (let request = 1; request <= 5; request++) ring.add(1, request, publish, request * 10);
  assert.equal(ring.find(0, 1), -1);
  assert.equal(ring.find(1, 9), -1);
  ring.free(ring.find(1, 2));
  assert.equal(ring.find(1, 2), -1);
  const givenUp: number[] = [];
  const note = (_: number, slot: number) => void givenUp.push(ring.intendedNs[slot]!);
  ring.giveUp(1, 35, note);
  assert.deepEqual(givenUp, [10, 30]);
  ring.giveUp(1, Infinity, note);
  assert.deepEqual(givenUp, [10, 30, 40, 50]);
  ring.giveUp(1, Infinity, note);
  assert.equal(givenUp.length, 4);
});

test("RequestRing goes round and round, and begins anew after a reset", () => {
  const ring = new RequestRing(1, 4);
  for (let request = 1; request <= 1000; request++) {
    assert.equal(ring.isTaken(0, request), false);
    const slot = ring.add(0, request, publish, request);
    assert.equal(ring.find(0, request), slot);
    ring.free(slot);
  }
  ring.add(0, 1001, publish, 1);
  let count = 0;
  ring.giveUp(0, Infinity, () => count++);
  assert.equal(count, 1);
  ring.reset(0);
  ring.add(0, 1, publish, 5);
  ring.giveUp(0, 6, () => count++);
  assert.equal(count, 2);
});

test("RequestRing.hasFingerprint() compares all six bytes", () => {
  const ring = new RequestRing(1, 4);
  const slot = ring.add(0, 1, requestKinds.call, 0);
  ring.setFingerprint(slot, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  assert.equal(ring.hasFingerprint(slot, Uint8Array.of(1, 2, 3, 4, 5, 6)), true);
  assert.equal(ring.hasFingerprint(slot, Uint8Array.of(1, 2, 3, 4, 5, 7)), false);
  assert.equal(ring.hasFingerprint(slot, Uint8Array.of(1, 2, 3, 4, 5)), false);
  assert.equal(ring.hasFingerprint(slot, "123456"), false);
});

test("DueHeap gives out its items in the order of their times", () => {
  const random = seededRandom(11);
  const heap = new DueHeap(200);
  const due = new Map<number, number>();
  for (let round = 0; round < 5000; round++) {
    if (due.size < 200 && random() < 0.55) {
      const free = Array.from({ length: 200 }, (_, item) => item).find((item) => !due.has(item))!;
      due.set(free, Math.floor(random() * 1000));
      heap.push(free, due.get(free)!);
    } else if (due.size > 0) {
      const earliest = Math.min(...due.values());
      assert.equal(heap.nextNs, earliest);
      const item = heap.pop();
      assert.equal(due.get(item), earliest);
      due.delete(item);
    }
    assert.equal(heap.size, due.size);
  }
});
