import { heapStats } from "bun:jsc";
import { test } from "bun:test";
import assert from "node:assert/strict";
import { PatternTable } from "../../../lib/wamp/router/pattern_table.ts";

/** What lives in the heap, with the text of strings. */
function usedBytes(): number {
  Bun.gc(true);
  const { heapSize, extraMemorySize } = heapStats();
  return heapSize + extraMemorySize;
}

test("matches() does not keep long URIs that were asked for", () => {
  const table = new PatternTable();
  table.add({ uri: "com.", match: "prefix" });
  const length = 2 ** 17;
  const before = usedBytes();
  for (let count = 0; count < 400; count++) {
    assert.equal(table.matches(`com.${count}.${"x".repeat(length)}`.slice()).length, 1);
  }
  // All of them would be 50 MiB.
  const grownBytes = usedBytes() - before;
  assert.ok(grownBytes < 10 * 2 ** 20, `it has grown by ${grownBytes} bytes`);
});
