import { test } from "bun:test";
import assert from "node:assert/strict";
import { CounterBook, type PublisherTotal } from "../../../lib/wamp/probe/counter_book.ts";
import { seededRandom } from "../../stats/seeded_random.ts";

const total = (published: number, ...unacknowledged: number[]): PublisherTotal => ({
  published,
  unacknowledged: Float64Array.from(unacknowledged),
});

const feed = (book: CounterBook, counters: readonly number[], subscriber = 0, publisher = 0) =>
  counters.map((counter) => book.receive(subscriber, publisher, counter));

test("CounterBook.receive() tells new, overtaken and duplicate events apart", () => {
  const book = new CounterBook(1, 1);
  assert.deepEqual(feed(book, [0, 1, 4, 1, 3, 3, 2, 4, 5]), [
    true,
    true,
    true,
    false,
    true,
    false,
    true,
    false,
    true,
  ]);
  assert.deepEqual(book.totals, { received: 6, outOfOrder: 2, duplicated: 3, missedAway: 0 });
  assert.equal(book.missing, 0);
  assert.equal(book.isComplete([total(6)]), true);
  assert.equal(book.isComplete([total(7)]), false);
});

test("CounterBook.settle() counts as lost what was acknowledged and has not come", () => {
  const book = new CounterBook(2, 2);
  feed(book, [0, 1, 5, 6], 0, 0);
  feed(book, [0, 1, 2, 3, 4, 5, 6, 7], 1, 0);
  feed(book, [0], 1, 1);
  // Of publisher 0 counters 3 and 7 were not acknowledged: subscriber 0 has lost 2 and 4.
  const [first, second] = book.settle([total(8, 3, 7), total(1)]);
  assert.deepEqual(first, { received: 12, outOfOrder: 0, duplicated: 0, missedAway: 0, lost: 2 });
  assert.deepEqual(second, { received: 1, outOfOrder: 0, duplicated: 0, missedAway: 0, lost: 1 });
});

test("CounterBook keeps what a subscriber missed while it was away from what it lost", () => {
  const book = new CounterBook(1, 3);
  feed(book, [0, 1, 3], 0, 0);
  feed(book, [0], 0, 1);
  book.away(0);
  book.back(0);
  feed(book, [10, 11, 13], 0, 0);
  // Came before, and late from before the gap: one duplicate, one overtaken.
  assert.deepEqual(feed(book, [1, 2], 0, 0), [false, true]);
  const [first, second, third] = book.settle([total(15), total(5), total(0)]);
  // 4 to 9 passed while it was away; 12 and 14 did not come while it was connected.
  assert.deepEqual(first, { received: 7, outOfOrder: 1, duplicated: 1, missedAway: 6, lost: 2 });
  // Nothing has come since: it cannot be known when these were published.
  assert.deepEqual(second, { received: 1, outOfOrder: 0, duplicated: 0, missedAway: 4, lost: 0 });
  assert.deepEqual(third, { received: 0, outOfOrder: 0, duplicated: 0, missedAway: 0, lost: 0 });
});

test("CounterBook takes what was published during an absence and comes late for out of order", () => {
  const book = new CounterBook(1, 1);
  feed(book, [0, 1]);
  book.away(0);
  book.back(0);
  assert.deepEqual(feed(book, [6, 3, 3, 7, 4, 1]), [true, true, false, true, true, false]);
  assert.deepEqual(book.totals, { received: 6, outOfOrder: 2, duplicated: 2, missedAway: 2 });
  assert.deepEqual(book.settle([total(8)]), [
    { received: 6, outOfOrder: 2, duplicated: 2, missedAway: 2, lost: 0 },
  ]);
});

test("CounterBook holds several absences, and one that lasts until the end", () => {
  const book = new CounterBook(1, 1);
  feed(book, [0, 1]);
  book.away(0);
  book.back(0);
  book.away(0);
  book.back(0);
  feed(book, [6]);
  book.away(0);
  assert.equal(book.isComplete([total(9)]), true);
  assert.deepEqual(book.settle([total(9)]), [
    { received: 3, outOfOrder: 0, duplicated: 0, missedAway: 4 + 2, lost: 0 },
  ]);
});

test("CounterBook agrees with a reference on random orders, losses and copies", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 200; round++) {
    const book = new CounterBook(1, 1);
    const seen = new Set<number>();
    const unacknowledged: number[] = [];
    const published = 1 + Math.floor(random() * 60);
    for (let counter = 0; counter < published; counter++) {
      if (random() < 0.1) unacknowledged.push(counter);
    }
    let highest = -1;
    let outOfOrder = 0;
    let duplicated = 0;
    for (let arrival = 0; arrival < published * 1.5; arrival++) {
      const counter = Math.min(
        published - 1,
        Math.max(0, Math.floor(arrival / 1.5 + (random() - 0.5) * 12)),
      );
      assert.equal(book.receive(0, 0, counter), !seen.has(counter));
      if (seen.has(counter)) duplicated++;
      else if (counter < highest) outOfOrder++;
      highest = Math.max(highest, counter);
      seen.add(counter);
    }
    const lost = Array.from({ length: published }, (_, counter) => counter)
      .filter((counter) => !seen.has(counter) && !unacknowledged.includes(counter)).length;
    assert.deepEqual(book.settle([total(published, ...unacknowledged)]), [
      { received: seen.size, outOfOrder, duplicated, missedAway: 0, lost },
    ]);
  }
});

test("CounterBook.lostBetween() puts what is lost down to when it was published", () => {
  const book = new CounterBook(2, 2);
  feed(book, [0, 1, 4, 5, 8], 0, 0);
  feed(book, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 1, 0);
  const totals = [total(10, 7), total(3)];
  const between = (from: number[], to: number[]) => book.lostBetween(totals, from, to);
  assert.equal(between([0, 0], [3, 0]), 1);
  assert.equal(between([3, 0], [10, 0]), 1 + 1 + 1);
  assert.equal(between([0, 1], [0, 3]), 4);
  const lost = book.settle(totals).reduce((sum, each) => sum + each.lost, 0);
  assert.equal(between([0, 0], [10, 3]), lost);
});
