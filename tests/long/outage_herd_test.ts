/** A server that dies again and again under many connections. */
import { test } from "bun:test";
import assert from "node:assert/strict";
import { totalLost } from "../../lib/stats/metrics.ts";
import { startClient, statsOf } from "../end_to_end/command_line.ts";
import { RestartedServer } from "../end_to_end/restarted_server.ts";

const connections = 10_000;
const connectsPerSecond = 2000;
const outages = 3;

test("10,000 WebSockets come back three times, and every message is accounted for", async () => {
  await using server = await RestartedServer.start(["ws"]);
  const client = startClient([
    ...server.argumentsFor("ws"),
    ...["-c", String(connections), "--connect-rate", String(connectsPerSecond)],
    ...["--interval", "5s", "-t", "100s", "--reconnect"],
  ]);
  const downIs = async (wanted: number, ended: number) => {
    for (let isSo = false; !isSo; await Bun.sleep(50)) {
      const { outages, connections } = await statsOf(client);
      const over = outages?.list.filter(({ isOver }) => isOver).length ?? 0;
      isSo = over === ended && connections.open === connections.requested - wanted;
    }
  };
  try {
    await downIs(0, 0);
    const gapsMs: number[] = [];
    for (let i = 0; i < outages; i++) {
      await Bun.sleep(2000);
      await server.kill();
      await downIs(connections, i);
      await Bun.sleep(1000);
      await server.startAgain();
      gapsMs.push(server.listeningAtMs - server.killedAtMs);
      await downIs(0, i + 1);
    }
    client.program.interrupt();
    const { text, snapshot } = await client.ended;
    const { list, total } = snapshot.outages!;
    assert.equal(total, outages, text);
    for (const [index, outage] of list.entries()) {
      assert.equal(outage.connections, connections, text);
      // No sooner than the server was there, nor faster than the rate.
      const leastMs = connections / connectsPerSecond * 1000 * 0.95;
      assert.ok(outage.backAllMs > gapsMs[index]! - 1000 + leastMs - 1000, text);
      assert.ok(outage.back50Ms < outage.back99Ms && outage.back99Ms < outage.backAllMs, text);
      assert.ok(outage.backAllMs < 40_000, text);
    }
    const sum = (figure: "lost" | "unsent" | "lostAgain") =>
      list.reduce((total, outage) => total + outage[figure], 0);
    const { messages, connections: counts } = snapshot;
    assert.equal(sum("lost"), totalLost(messages.lost) - messages.lost.unanswered, text);
    assert.equal(sum("unsent"), messages.unsent.noConnection + messages.unsent.heldBack, text);
    assert.equal(counts.lost, outages * connections + sum("lostAgain"), text);
    assert.equal(counts.open, connections, text);
  } finally {
    await client.program[Symbol.asyncDispose]();
  }
}, 170_000);
