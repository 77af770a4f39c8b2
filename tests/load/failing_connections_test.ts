import { test } from "bun:test";
import assert from "node:assert/strict";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { lostOf } from "./books.ts";
import { startDelayingChild } from "./delaying_child.ts";
import { runLoad, uniform } from "./load_run.ts";
import { goFirst } from "./priority.ts";

goFirst();

/** A port on which nobody listens. */
function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

function failuresOf({ connections }: ClientSnapshot): [string, number][] {
  return connections.failures.map(({ kind, count }) => [kind, count]);
}

test("a refused port ends the run with no connection opened", async () => {
  for (const load of [uniform(1000), { kind: "inflight", outstanding: 1 } as const]) {
    const { snapshot, tookMs } = await runLoad({
      endpoint: `tcp://127.0.0.1:${freePort()}`,
      load,
      message: 32,
      connections: 20,
      durationMs: 60_000,
    });
    const { attempted, opened, failed, open } = snapshot.connections;
    assert.deepEqual([attempted, opened, failed, open], [20, 0, 20, 0]);
    assert.deepEqual(failuresOf(snapshot), [["refused", 20]]);
    assert.deepEqual([snapshot.messages.due, snapshot.steadyMs], [0, 0]);
    assert.ok(tookMs < 2500, `${tookMs} ms`);
  }
});

test("connections that never complete are given up after the connect timeout", async () => {
  // It accepts, and says nothing to a ClientHello.
  const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { snapshot, tookMs } = await runLoad({
    endpoint: `tls://127.0.0.1:${silent.port}`,
    load: uniform(1000),
    message: 32,
    connections: 5,
    connectTimeoutMs: 400,
    durationMs: 60_000,
  });
  silent.stop(true);
  assert.deepEqual([snapshot.connections.opened, snapshot.connections.failed], [0, 5]);
  assert.deepEqual(failuresOf(snapshot), [["timeout", 5]]);
  assert.ok(tookMs >= 400 && tookMs < 2500, `${tookMs} ms`);
}, 20_000);

test("a full backlog leaves connections out, and the run goes on with the others", async () => {
  await using server = await startDelayingChild({ backlog: 2 });
  // It accepts nothing until the connect timeouts are over.
  const thawed = server.ask({ freezeMs: 900 });
  await Bun.sleep(50);
  const { snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${server.port}`,
    load: uniform(200),
    message: 32,
    connections: 12,
    connectTimeoutMs: 400,
    durationMs: 1000,
  });
  await thawed;
  const { opened, failed, lost } = snapshot.connections;
  // The kernel lets one more in than it was asked to: listen(2).
  assert.ok(opened >= 1 && opened <= 4, `${opened} opened`);
  assert.deepEqual([opened + failed, lost], [12, 0]);
  assert.deepEqual(failuresOf(snapshot), [["timeout", failed]]);
  assert.deepEqual([snapshot.messages.due, snapshot.messages.answered], [200, 200]);
}, 20_000);

test("connections that the target closes are counted, and the run goes on with the rest", async () => {
  let accepted = 0;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket: Bun.Socket<number>) {
        socket.data = accepted++;
      },
      data(socket, bytes) {
        socket.write(bytes);
        // Every other one, after its first answers: in order, and by reset.
        if (socket.data % 4 === 1) socket.end();
        if (socket.data % 4 === 3) setTimeout(() => socket.terminate(), 30);
      },
      error() {},
    },
  });
  const { snapshot } = await runLoad({
    endpoint: `tcp://127.0.0.1:${listener.port}`,
    load: uniform(2000),
    message: 32,
    connections: 12,
    durationMs: 600,
  });
  listener.stop(true);
  const { open, lost, failures } = snapshot.connections;
  assert.deepEqual([open, lost], [6, 6]);
  const kinds = Object.fromEntries(failures.map(({ kind, count }) => [kind, count]));
  // A reset that a write runs into before the event loop hears of it closes without an error.
  const byPeer = kinds["closed-by-peer"] ?? 0;
  assert.ok(byPeer >= 3, JSON.stringify(kinds));
  assert.deepEqual(
    kinds,
    byPeer === 6 ? { "closed-by-peer": 6 } : {
      "closed-by-peer": byPeer,
      reset: 6 - byPeer,
    },
  );
  const { messages } = snapshot;
  assert.equal(messages.due, 1200);
  assert.equal(lostOf(messages), messages.lost.closed);
  assert.ok(messages.answered > 1000, JSON.stringify(messages));
});
