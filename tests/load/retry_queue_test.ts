import { test } from "bun:test";
import assert from "node:assert/strict";
import { RetryQueue } from "../../lib/load/retry_queue.ts";
import { seededRandom } from "../stats/seeded_random.ts";

test("take() gives the connection that is due first, whatever comes and goes", () => {
  const connections = 300;
  const random = seededRandom(4);
  const queue = new RetryQueue(connections);
  const waiting = new Map<number, number>();
  assert.equal(queue.nextDueNs, Infinity);
  for (let i = 0; i < 20_000; i++) {
    const id = Math.floor(random() * connections);
    if (random() < 0.55 && !waiting.has(id)) {
      // Some are due at the same time.
      const dueNs = Math.floor(random() * 1000);
      queue.add(id, dueNs);
      waiting.set(id, dueNs);
    } else if (waiting.size > 0) {
      const firstNs = Math.min(...waiting.values());
      assert.equal(queue.nextDueNs, firstNs);
      const taken = queue.take();
      assert.equal(waiting.get(taken), firstNs);
      waiting.delete(taken);
    }
    assert.equal(queue.size, waiting.size);
  }
  while (queue.size > 0) assert.ok(waiting.delete(queue.take()));
  assert.equal(waiting.size, 0);
});
