import { test } from "bun:test";
import assert from "node:assert/strict";
import type { Bytes } from "../../../lib/p2p/network/bytes.ts";
import {
  handDirectly,
  type MessageSource,
  tellListenersAlone,
} from "../../../lib/p2p/network/direct_messages.ts";

/** A source that says what it was asked to do by itself. */
class Source implements MessageSource {
  readStatus = "readable";
  remoteWriteStatus = "writable";
  readBufferLength = 0;
  listeners = 1;
  readonly queued: number[] = [];
  readonly dispatched: string[] = [];

  listenerCount(): number {
    return this.listeners;
  }
  onData(bytes: Bytes): void {
    this.queued.push(bytes.byteLength);
  }
  safeDispatchEvent(type: string): boolean {
    this.dispatched.push(type);
    return true;
  }
}

test("handDirectly() hands over what nothing is in the way of, and leaves all else to the source", () => {
  const obstacles: Partial<Source>[] = [
    { readStatus: "paused" },
    { readStatus: "closed" },
    { remoteWriteStatus: "closed" },
    { readBufferLength: 1 },
    { listeners: 0 },
    { listeners: 2 },
  ];
  const taken: number[] = [];
  for (const obstacle of obstacles) {
    const source = Object.assign(new Source(), obstacle);
    handDirectly(source, (bytes) => taken.push(bytes.byteLength));
    source.onData(new Uint8Array(7));
    assert.deepEqual([source.queued, taken], [[7], []], JSON.stringify(obstacle));
  }
  const source = new Source();
  handDirectly(source, (bytes) => taken.push(bytes.byteLength));
  source.onData(new Uint8Array(5));
  source.onData(new Uint8Array(0));
  source.readStatus = "paused";
  source.onData(new Uint8Array(6));
  assert.deepEqual([taken, source.queued], [[5], [0, 6]]);
});

test("tellListenersAlone() makes no event that nobody listens to", () => {
  const source = new Source();
  tellListenersAlone(source);
  assert.equal(source.safeDispatchEvent("drain"), true);
  source.listeners = 0;
  assert.equal(source.safeDispatchEvent("idle"), true);
  assert.deepEqual(source.dispatched, ["drain"]);
});
