import assert from "node:assert/strict";
import { test } from "bun:test";
import { Admission } from "../../lib/server/admission.ts";
import { EchoHandlers } from "../../lib/server/echo.ts";
import { EndpointCounters } from "../../lib/server/endpoint_counters.ts";
import type { Scheme } from "../../lib/transport/endpoint.ts";
import type { Connections } from "../../lib/transport/transport.ts";

/**
 * A peer that takes `window` bytes until it is given more, and remembers what was asked. Real
 * sockets are in run_test.ts; here every boundary is hit exactly.
 */
class NarrowPeer implements Connections {
  window = Infinity;
  received = "";
  readonly calls: string[] = [];
  onSend: (() => void) | undefined;

  send(_: number, bytes: Uint8Array, offset: number, length: number, _m: number, isText?: boolean) {
    const accepted = Math.min(length, this.window);
    this.window -= accepted;
    this.received += Buffer.from(bytes.subarray(offset, offset + accepted)).toString("latin1");
    if (isText === true) this.calls.push("text");
    this.onSend?.();
    return accepted;
  }
  pause = (id: number) => void this.calls.push(`pause ${id}`);
  resume = (id: number) => void this.calls.push(`resume ${id}`);
  finish = (id: number) => void this.calls.push(`finish ${id}`);
  close = (id: number) => void this.calls.push(`close ${id}`);
  terminate = (id: number) => void this.calls.push(`terminate ${id}`);
}

function setUp(
  { scheme = "tcp" as Scheme, maxConnections = Infinity, maxPendingBytes = 2000 } = {},
) {
  const counters = new EndpointCounters();
  const refusals: string[] = [];
  const handlers = new EchoHandlers(
    {
      scheme,
      maxPendingBytes,
      elapsedMs: () => 7,
      refused: () => refusals.push("refused"),
    },
    counters,
    new Admission(maxConnections),
  );
  const peer = new NarrowPeer();
  return { handlers, counters, peer, refusals };
}

const bytes = (text: string) => Buffer.from(text, "latin1");

test("EchoHandlers send back what came, and count it", () => {
  const { handlers, counters, peer } = setUp();
  handlers.attach(peer);
  handlers.open(5);
  handlers.data(5, bytes("hello "), false);
  handlers.data(5, bytes("world"), true);
  assert.equal(peer.received, "hello world");
  assert.deepEqual(peer.calls, ["text"]);
  const { open, accepted, messages, bytesReceived, bytesSent } = counters.counts();
  assert.deepEqual({ open, accepted, messages, bytesReceived, bytesSent }, {
    open: 1,
    accepted: 1,
    messages: 2,
    bytesReceived: 11,
    bytesSent: 11,
  });
});

test("EchoHandlers keep the rest of a short send, pause, and resume when it is gone", () => {
  const { handlers, counters, peer } = setUp();
  handlers.attach(peer);
  handlers.open(3);
  peer.window = 4;
  const piece = bytes("0123456789");
  handlers.data(3, piece, false);
  piece.fill(0); // the transport uses its memory again
  handlers.data(3, bytes("abc"), false); // came in spite of the pause
  assert.deepEqual(peer.calls, ["pause 3"]);
  assert.equal(counters.bytesSent, 4);
  peer.window = 3;
  handlers.drain(3);
  assert.equal(peer.received, "0123456");
  peer.window = 4;
  handlers.drain(3);
  assert.equal(peer.received, "0123456789a");
  assert.deepEqual(peer.calls, ["pause 3"]);
  peer.window = 100;
  handlers.drain(3);
  assert.equal(peer.received, "0123456789abc");
  assert.deepEqual(peer.calls, ["pause 3", "resume 3"]);
  handlers.data(3, bytes("!"), false);
  assert.equal(peer.received, "0123456789abc!");
  assert.equal(counters.bytesSent, counters.bytesReceived);
});

test("EchoHandlers end a connection on which more waits than is allowed", async () => {
  const { handlers, counters, peer } = setUp();
  handlers.attach(peer);
  handlers.open(0);
  peer.window = 0;
  handlers.data(0, new Uint8Array(100_000), false); // one piece may be of any size
  assert.deepEqual(peer.calls, ["pause 0"]);
  handlers.data(0, new Uint8Array(1), false);
  handlers.data(0, new Uint8Array(1), false);
  handlers.drain(0);
  await Bun.sleep(1);
  assert.deepEqual(peer.calls, ["pause 0", "terminate 0"]);
  handlers.close(0, undefined);
  const { open, closed, failed, failures } = counters.counts();
  assert.deepEqual({ open, closed, failed }, { open: 0, closed: 0, failed: 1 });
  assert.equal(failures[0]!.kind, "host-memory");
  assert.equal(failures[0]!.firstAtMs, 7);
});

test("EchoHandlers count a reset as one, though the rest of what it sent comes first", async () => {
  const { handlers, counters, peer } = setUp();
  handlers.attach(peer);
  handlers.open(0);
  peer.window = 0;
  handlers.data(0, new Uint8Array(1), false);
  handlers.data(0, new Uint8Array(100_000), false);
  handlers.close(0, { kind: "reset", detail: "ECONNRESET" });
  handlers.open(0);
  await Bun.sleep(1);
  assert.deepEqual(peer.calls, ["pause 0"], "the next connection is left alone");
  assert.deepEqual(counters.failures.counts().map(({ kind }) => kind), ["reset"]);
});

test("EchoHandlers close after the peer's end, when everything was sent", () => {
  const { handlers, counters, peer } = setUp();
  handlers.attach(peer);
  handlers.open(0);
  handlers.data(0, bytes("a"), false);
  handlers.end(0);
  handlers.open(1);
  peer.window = 2;
  handlers.data(1, bytes("bcde"), false);
  handlers.end(1);
  assert.deepEqual(peer.calls, ["close 0", "pause 1"]);
  peer.window = 2;
  handlers.drain(1);
  assert.deepEqual(peer.calls, ["close 0", "pause 1", "close 1"]);
  assert.equal(peer.received, "abcde");
  handlers.close(0, undefined);
  handlers.close(1, { kind: "closed-by-peer", detail: "" });
  assert.equal(counters.closed, 2);
  assert.equal(counters.failed, 0);
});

test("EchoHandlers forget what waited when the connection closes, also within send", () => {
  const { handlers, counters, peer } = setUp();
  handlers.attach(peer);
  handlers.open(0);
  peer.window = 0;
  peer.onSend = () => handlers.close(0, { kind: "reset", detail: "EPIPE" });
  handlers.data(0, bytes("old"), false);
  peer.onSend = undefined;
  handlers.open(0);
  handlers.data(0, bytes("older"), false);
  handlers.close(0, { kind: "reset", detail: "ECONNRESET" });
  handlers.open(0);
  peer.window = Infinity;
  handlers.drain(0);
  handlers.data(0, bytes("new"), false);
  assert.equal(peer.received, "new");
  assert.equal(counters.failed, 2);
  assert.equal(counters.open, 1);
  assert.equal(counters.failures.counts()[0]!.firstDetail, "EPIPE");
});

test("EchoHandlers refuse above the limit, over all endpoints, and count nothing of it", () => {
  const admission = new Admission(2);
  const endpoints = ["tcp", "ws"].map((scheme) => {
    const counters = new EndpointCounters();
    const handlers = new EchoHandlers(
      {
        scheme: scheme as Scheme,
        maxPendingBytes: 0,
        elapsedMs: () => 0,
        refused: () => counters.refuse("max-connections"),
      },
      counters,
      admission,
    );
    const peer = new NarrowPeer();
    peer.terminate = (id) => {
      peer.calls.push(`terminate ${id}`);
      handlers.close(id, undefined);
    };
    handlers.attach(peer);
    return { counters, handlers, peer };
  });
  const [tcp, ws] = endpoints;
  tcp!.handlers.open(0);
  ws!.handlers.open(0);
  ws!.handlers.open(1);
  ws!.handlers.data(1, bytes("x"), false);
  assert.deepEqual(ws!.peer.calls, ["terminate 1"]);
  assert.deepEqual(ws!.counters.counts().refused, { "max-connections": 1 });
  assert.equal(ws!.counters.accepted, 1);
  assert.equal(ws!.counters.closed, 0);
  assert.equal(ws!.counters.messages, 0);
  tcp!.handlers.close(0, undefined);
  ws!.handlers.open(1);
  assert.equal(ws!.counters.accepted, 2);
});

test("EchoHandlers drop and count datagrams that cannot be answered at once", () => {
  const { handlers, counters, peer } = setUp({ scheme: "udp" });
  handlers.attach(peer);
  handlers.data(0, bytes("one"), false);
  peer.window = 0;
  handlers.data(0, bytes("two"), false);
  peer.window = Infinity;
  handlers.data(0, bytes("three"), false);
  assert.equal(peer.received, "onethree");
  assert.deepEqual(peer.calls, []);
  assert.equal(counters.dropped, 1);
  assert.equal(counters.messages, 3);
});

test("EchoHandlers answer what came before the listener was known", () => {
  const { handlers, peer, refusals } = setUp({ maxConnections: 2 });
  handlers.open(0);
  handlers.data(0, bytes("early "), false);
  handlers.data(0, bytes("bird"), false);
  handlers.end(0);
  handlers.open(1);
  handlers.end(1);
  handlers.open(2);
  handlers.attach(peer);
  assert.equal(peer.received, "early bird");
  assert.deepEqual(peer.calls, ["pause 0", "close 0", "close 1", "terminate 2"]);
  assert.deepEqual(refusals, ["refused"]);
});
