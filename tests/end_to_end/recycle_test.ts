import { test } from "bun:test";
import assert from "node:assert/strict";
import { totalLost } from "../../lib/stats/metrics.ts";
import { startClient } from "./command_line.ts";
import { RestartedServer } from "./restarted_server.ts";
import { targetNames } from "./targets.ts";

const connections = 20;
const recyclesPerSecond = 40;
const steadySeconds = 3;

test(
  "--recycle closes and opens connections in turn, and loses nothing: every transport",
  async () => {
    await using server = await RestartedServer.start(targetNames);
    const loads = ["-r 200", "--interval 100ms"];
    const clients = targetNames.map((name, index) => ({
      name,
      client: startClient([
        ...server.argumentsFor(name),
        ...["-c", String(connections), "-t", `${steadySeconds}s`, "--timeout", "3s"],
        ...["--recycle", String(recyclesPerSecond), "--reconnect"],
        ...loads[index % loads.length]!.split(" "),
      ]),
    }));
    try {
      await Promise.all(clients.map(async ({ name, client }) => {
        const { text, snapshot } = await client.ended;
        const about = `${name}: ${text}`;
        const { messages, connections: counts, outages, histograms, anomalies } = snapshot;
        assert.equal(totalLost(messages.lost) + messages.unsent.heldBack, 0, about);
        assert.equal(messages.sent, messages.answered, about);
        assert.equal(anomalies.unknown + anomalies.corrupted + anomalies.late, 0, about);
        assert.deepEqual(counts.failures, [], about);
        assert.deepEqual([counts.lost, counts.failed, outages?.total], [0, 0, 0], about);
        const planned = recyclesPerSecond * steadySeconds;
        // All that were planned, where handshakes take no time; some on any machine.
        assert.ok(counts.recycled! > 3 && counts.recycled! <= planned, about);
        // The last ones may not be back before the run ends.
        assert.ok(counts.reopened! <= counts.recycled! && counts.reopened! > 3, about);
        assert.equal(counts.open, counts.opened - counts.recycled!, about);
        assert.equal(counts.opened, connections + counts.reopened!, about);
        assert.equal(histograms.reconnect?.count, counts.reopened, about);
        assert.match(text, /^connections .* recycled$/m);
        assert.match(text, /^ {2}opened again +\d/m);
      }));
      const { total } = await server.server.snapshotWith("all have gone", ({ total }) => {
        return total.open === 0;
      });
      // Each of them was closed in order.
      assert.equal(total.failed, 0, JSON.stringify(total.failures));
    } finally {
      for (const { client } of clients) await client.program[Symbol.asyncDispose]();
    }
  },
  60_000,
);
