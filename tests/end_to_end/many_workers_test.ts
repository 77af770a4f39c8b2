import { test } from "bun:test";
import assert from "node:assert/strict";
import { formatEndpoint } from "../../lib/transport/endpoint.ts";
import { ChildServer } from "../server/running_server.ts";
import { startClient } from "./command_line.ts";

const connections = 50_000;
const workers = 4;
const messageBytes = 64;

/** The smaller copy of `deno task bench:million`. */
test(
  "50,000 WebSockets over 4 server and 4 client workers are held and used, none lost",
  async () => {
    await using server = await ChildServer.start([
      ...["ws://127.0.0.1:0", "--workers", `${workers}`, "--quiet"],
    ]);
    const client = startClient([
      ...[formatEndpoint(server.endpoints[0]!), "-c", `${connections}`, "--workers", `${workers}`],
      ...["--connect-rate", "5000", "--interval", "6s", "-t", "6s", "--timeout", "30s"],
      // Other tests leave ports of 127.0.0.1 in use.
      ...["--size", `${messageBytes}`, "--verify", "--source", "127.9.0.0/30"],
    ]);
    const holding = await server.snapshotWith(
      "all are in",
      ({ total }) => total.open === connections,
      60_000,
    );
    assert.equal(holding.workers!.length, workers);
    const least = connections / workers / 2;
    assert.ok(holding.workers!.every(({ open }) => open > least), JSON.stringify(holding.workers));

    const { snapshot, text } = await client.ended;
    const { messages, steady, histograms } = snapshot;
    assert.deepEqual([snapshot.connections.open, snapshot.connections.failures], [connections, []]);
    assert.deepEqual(
      snapshot.workers!.map(({ open, ends }) => [open, ends]),
      Array.from({ length: workers }, () => [connections / workers, []]),
    );
    // The measured phase is one interval: each connection has its turn in it, but for what the
    // generator did not get to on a busy machine.
    assert.equal(steady.due, connections, text);
    assert.equal(steady.sent + steady.unsent.generatorLate, steady.due, text);
    assert.ok(messages.sent >= connections, `each was used: ${text}`);
    assert.equal(messages.answered, messages.sent, text);
    assert.equal(histograms.response.count, steady.answered);
    assert.equal(histograms.connect.count, connections);
    const { total } = await server.snapshotWith("all are out", ({ total }) => total.open === 0);
    assert.equal(total.accepted, connections);
    const bytes = messages.sent * messageBytes;
    assert.deepEqual([total.bytesReceived, total.bytesSent, total.messages], [
      bytes,
      bytes,
      messages.sent,
    ]);
    assert.deepEqual([total.refused, total.dropped], [{}, 0]);
  },
  120_000,
);
