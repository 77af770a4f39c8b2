import { test } from "bun:test";
import assert from "node:assert/strict";
import { RecordBatch } from "../../../lib/p2p/local/record_batch.ts";

test("take() gives each record once, however many there are", () => {
  const batch = new RecordBatch();
  let next = 0;
  for (const length of [0, 1, 1024, 1025, 5000, 3]) {
    const first = next;
    for (let i = 0; i < length; i++, next++) {
      if (next % 5 === 0) batch.sent(2, next, next * 10);
      else batch.received(next % 3, next, next * 10, next * 10 + 7);
    }
    const records = batch.take();
    const columns = [records.senders, records.indices, records.dueNs, records.arrivedNs];
    assert.deepEqual(columns.map((column) => column.length), Array(4).fill(length));
    for (let at = 0; at < length; at++) {
      const index = first + at;
      assert.equal(records.indices[at], index);
      assert.equal(records.dueNs[at], index * 10);
      assert.equal(records.senders[at], index % 5 === 0 ? 2 : index % 3);
      assert.equal(records.arrivedNs[at], index % 5 === 0 ? NaN : index * 10 + 7);
    }
  }
});

test("take() counts copies, and senders that no network has", () => {
  const batch = new RecordBatch();
  batch.duplicated();
  batch.duplicated();
  for (const sender of [-1, 65_536, 2 ** 53, NaN]) batch.received(sender, 0, 0, 1);
  batch.received(65_535, 0, 0, 1);
  const { duplicates, foreign, senders } = batch.take();
  assert.deepEqual([duplicates, foreign, [...senders]], [2, 4, [65_535]]);
  const { duplicates: none, foreign: nobody } = batch.take();
  assert.deepEqual([none, nobody], [0, 0]);
});
