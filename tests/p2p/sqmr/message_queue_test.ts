import { test } from "bun:test";
import assert from "node:assert/strict";
import { MessageQueue } from "../../../lib/p2p/sqmr/message_queue.ts";

test("MessageQueue gives back messages in their order while it grows", () => {
  const queue = new MessageQueue();
  let [put, taken] = [0, 0];
  for (const [puts, takes] of [[50, 30], [200, 10], [5, 200], [300, 315]]) {
    for (let i = 0; i < (puts ?? 0); i++) queue.push({ bytes: new Uint8Array(3), token: put++ });
    for (let i = 0; i < (takes ?? 0); i++) assert.equal(queue.shift()?.token, taken++);
    assert.deepEqual([queue.length, queue.bytes], [put - taken, 3 * (put - taken)]);
  }
  assert.equal(queue.shift(), undefined);
  assert.deepEqual([queue.length, queue.bytes], [0, 0]);
});
