import { test } from "bun:test";
import assert from "node:assert/strict";
import type { PeerId } from "../../../lib/p2p/network/libp2p_types.ts";
import { ignoreStaleEnds } from "../../../lib/p2p/network/stale_ends.ts";

/** The id of one peer, as each of its connections has an object of its own for it. */
const onConnection = () => ({ toString: () => "peer" }) as PeerId;

function routerWith(isConnected: boolean) {
  const forgotten: PeerId[] = [];
  const router = {
    pipePeerReadStream: () => Promise.resolve(),
    onPeerDisconnected: (peer: PeerId) => void forgotten.push(peer),
  };
  ignoreStaleEnds(router, () => isConnected);
  return { router: router as Parameters<typeof ignoreStaleEnds>[0], forgotten };
}

test("ignoreStaleEnds() keeps a peer whose earlier connection ends after a later one is read", async () => {
  const { router, forgotten } = routerWith(true);
  const [first, second] = [onConnection(), onConnection()];
  await router.pipePeerReadStream(first, undefined);
  await router.pipePeerReadStream(second, undefined);
  router.onPeerDisconnected(first);
  assert.deepEqual(forgotten, []);
  router.onPeerDisconnected(second);
  assert.deepEqual(forgotten, [second]);
});

test("ignoreStaleEnds() lets a peer be forgotten that has no connection left", async () => {
  const { router, forgotten } = routerWith(false);
  const [first, second] = [onConnection(), onConnection()];
  await router.pipePeerReadStream(second, undefined);
  router.onPeerDisconnected(first);
  assert.deepEqual(forgotten, [first]);
});
