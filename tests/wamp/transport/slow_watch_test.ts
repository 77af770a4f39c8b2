import { test } from "bun:test";
import assert from "node:assert/strict";
import { SlowWatch } from "../../../lib/wamp/transport/slow_watch.ts";
import { seededRandom } from "../../stats/seeded_random.ts";

class Peer {
  pendingBytes = 0;
  isEnded = false;

  terminate(): void {
    assert.equal(this.isEnded, false);
    this.isEnded = true;
  }
}

/** Turns of microtasks. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

test("SlowWatch ends who is beyond the bound before the next message, and nobody else", async () => {
  const random = seededRandom(5);
  const maxPendingBytes = 100_000;
  const peers = new Set(Array.from({ length: 50 }, () => new Peer()));
  const watch = new SlowWatch(peers, maxPendingBytes);
  const list = [...peers];
  const slow = new Set(list.slice(0, 7));
  let mostSeen = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = Math.floor(random() * 900);
    for (const peer of list) {
      if (peer.isEnded) continue;
      // The others fall behind too, and catch up in time.
      peer.pendingBytes += bytes;
      if (!slow.has(peer) && (peer.pendingBytes > 90_000 || random() < 0.02)) peer.pendingBytes = 0;
      else if (slow.has(peer) && random() < 0.02) peer.pendingBytes *= 0.7;
      mostSeen = Math.max(mostSeen, peer.pendingBytes);
    }
    watch.sent(bytes);
    await Promise.resolve();
    for (const peer of list) if (peer.isEnded) peers.delete(peer);
  }
  await settled();
  assert.deepEqual(list.filter(({ isEnded }) => isEnded), [...slow]);
  assert.equal(watch.ended, slow.size);
  // A step is an eighth of so small a bound.
  assert.ok(mostSeen < maxPendingBytes * 1.2, `${mostSeen}`);
});

test("SlowWatch counts one once that is ended in the middle of many messages", async () => {
  const peer = new Peer();
  const watch = new SlowWatch([peer], 1000);
  for (let count = 0; count < 10; count++) {
    peer.pendingBytes += 900;
    watch.sent(900);
  }
  assert.deepEqual([watch.ended, peer.isEnded], [1, false]);
  await settled();
  assert.deepEqual([watch.ended, peer.isEnded], [1, true]);
});

test("SlowWatch looks at those who read once each half of the bound", () => {
  let looks = 0;
  const reader = {
    get pendingBytes() {
      looks++;
      return 0;
    },
    terminate() {},
  };
  const watch = new SlowWatch([reader], 1_000_000);
  for (let count = 0; count < 10_000; count++) watch.sent(1000);
  assert.equal(looks, 20);
});
