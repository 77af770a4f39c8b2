import assert from "node:assert/strict";
import { test } from "bun:test";
import { EndpointCounters } from "../../lib/server/endpoint_counters.ts";
import { serverSnapshot } from "../../lib/server/snapshot.ts";

const run = {
  version: "0",
  host: "h",
  pid: 1,
  startedAt: "2030-01-01T00:00:00.000Z",
  labels: {},
  settings: {},
};

test("serverSnapshot() puts the sum beside the endpoints", () => {
  const tcp = new EndpointCounters();
  Object.assign(tcp, { open: 1, accepted: 3, closed: 1, failed: 1, messages: 5, bytesSent: 7 });
  tcp.refuse("max-connections");
  tcp.refuse("max-connections");
  tcp.failures.record({ kind: "reset", detail: "first" }, 10);
  const ws = new EndpointCounters();
  Object.assign(ws, { open: 2, accepted: 3, failed: 1, messages: 50, bytesSent: 70, dropped: 1 });
  ws.refuse("max-connections");
  ws.refuse("fd-limit");
  ws.failures.record({ kind: "reset", detail: "second" }, 20);
  const snapshot = serverSnapshot(run, 12, [
    { endpoint: "tcp://[::]:1", counts: tcp.counts() },
    { endpoint: "ws://[::]:1", counts: ws.counts() },
  ]);
  assert.equal(snapshot.role, "server");
  assert.equal(snapshot.elapsedMs, 12);
  assert.deepEqual(snapshot.total, {
    open: 3,
    accepted: 6,
    closed: 1,
    failed: 2,
    refused: { "max-connections": 3, "fd-limit": 1 },
    messages: 55,
    bytesReceived: 0,
    bytesSent: 77,
    dropped: 1,
    failures: [{ kind: "reset", count: 2, firstAtMs: 10, firstDetail: "first" }],
  });
  assert.ok(snapshot.process.rssBytes > 0);
  tcp.refuse("tls");
  assert.equal(
    snapshot.endpoints[0]!.counts.refused["tls"],
    undefined,
    "a snapshot stays as it is",
  );
});
