import { test } from "bun:test";
import assert from "node:assert/strict";
import type { Connection } from "../../../lib/p2p/network/libp2p_types.ts";
import { Deadlines } from "../../../lib/p2p/sqmr/deadlines.ts";
import { QueryBroadcaster } from "../../../lib/p2p/sqmr/query_broadcaster.ts";
import { maximumQueuedBytes } from "../../../lib/p2p/sqmr/session_settings.ts";
import { settings, Told } from "./peers.ts";

/** A peer that never answers when a stream is opened. */
function silentPeer(): Connection {
  const remotePeer = { equals: (other: unknown) => other === remotePeer };
  const connection = { remotePeer, status: "open", newStream: () => new Promise(() => {}) };
  return connection as unknown as Connection;
}

test("QueryBroadcaster.publish() bounds the bytes of queries whose stream is not open yet", () => {
  const deadlines = new Deadlines(60_000);
  const broadcaster = new QueryBroadcaster(settings("sqmr", 0, [], {}), new Told(), deadlines);
  try {
    for (let peer = 0; peer < 4; peer++) broadcaster.settled(silentPeer());
    const message = new Uint8Array(2 ** 20);
    const fit = maximumQueuedBytes / message.length;
    for (let token = 0; token < fit; token++) {
      assert.equal(broadcaster.publish(message, token), undefined, `message ${token}`);
    }
    assert.equal(broadcaster.queued(), fit);
    assert.equal(broadcaster.publish(message, fit), "all_queues_full");
  } finally {
    broadcaster.stop();
    deadlines.stop(new Error("the test has ended"));
  }
});
