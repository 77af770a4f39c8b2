import { test } from "bun:test";
import assert from "node:assert/strict";
import { OutstandingMessages } from "../../lib/p2p/outstanding_messages.ts";

test("OutstandingMessages agrees with a map, in any order and at any size", () => {
  const messages = new OutstandingMessages();
  const exact = new Map<number, number>();
  for (let index = 0; index < 6_000; index++) {
    const token = messages.add(index, index * 2, index * 3);
    assert.equal(exact.has(token), false, `token ${token} is taken`);
    exact.set(token, index);
    // More come than go, so that it grows; then they all go.
    while (exact.size > (index < 4_500 ? 1_000 : 10)) {
      const tokens = [...exact.keys()].slice(0, 50);
      const gone = tokens[Math.floor(Math.random() * tokens.length)]!;
      assert.equal(messages.indexOf(gone), exact.get(gone));
      assert.equal(messages.intendedNsOf(gone), exact.get(gone)! * 2);
      assert.equal(messages.intendedWallNsOf(gone), exact.get(gone)! * 3);
      messages.remove(gone);
      exact.delete(gone);
      assert.equal(messages.indexOf(gone), -1);
    }
    assert.equal(messages.count, exact.size);
  }
  assert.equal(messages.indexOf(1_000_000), -1);
  messages.clear();
  assert.equal(messages.count, 0);
  for (const token of exact.keys()) assert.equal(messages.indexOf(token), -1);
});
