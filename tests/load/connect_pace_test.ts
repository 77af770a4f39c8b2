import { test } from "bun:test";
import assert from "node:assert/strict";
import { ConnectPace } from "../../lib/load/connect_pace.ts";

function take(pace: ConnectPace, count: number): number[] {
  return Array.from({ length: count }, () => {
    const { nextNs } = pace;
    pace.use();
    return nextNs;
  });
}

test("nextNs follows the rate from the start, whatever is late", () => {
  const pace = new ConnectPace(1000, undefined, undefined);
  pace.start(5e9);
  assert.deepEqual(take(pace, 3), [5e9, 5.001e9, 5.002e9]);
});

test("generators that share a load take its turns one after another", () => {
  const turns = [0, 1, 2].flatMap((index) => {
    const pace = new ConnectPace(1000, { index, of: 3, connections: 9 }, undefined);
    pace.start(0);
    return take(pace, 3);
  });
  assert.deepEqual(
    turns.toSorted((a, b) => a - b),
    take(new ConnectPace(1000, undefined, undefined), 9),
  );
});

test("skipTo() makes up for no time in which there was nothing to do, nor goes back", () => {
  const pace = new ConnectPace(100, { index: 1, of: 2, connections: 4 }, undefined);
  pace.start(0);
  take(pace, 2);
  pace.skipTo(7e9);
  // At half of the rate: the other generator has the other half.
  assert.deepEqual(take(pace, 3), [7e9, 7.02e9, 7.04e9]);
  pace.skipTo(7.01e9);
  assert.equal(pace.nextNs, 7.06e9);
});

test("pauses belong to the plan, and not to what comes after it", () => {
  const pace = new ConnectPace(10, undefined, { connections: 2, holdNs: 1e9 });
  pace.start(0);
  assert.deepEqual(take(pace, 5), [0, 0.1e9, 1.2e9, 1.3e9, 2.4e9]);
  assert.equal(pace.plannedPerSecond(5), 4e9 / 2.4e9);
  pace.skipTo(10e9);
  assert.deepEqual(take(pace, 4), [10e9, 10.1e9, 10.2e9, 10.3e9]);
  assert.equal(pace.plannedPerSecond(5), 4e9 / 2.4e9);
});
