import { test } from "bun:test";
import assert from "node:assert/strict";
import { totalLost } from "../../lib/stats/metrics.ts";
import { startClient, statsOf } from "./command_line.ts";
import { onlyOutage, RestartedServer } from "./restarted_server.ts";
import { targetNames } from "./targets.ts";

const connections = 10;
const ratePerSecond = 200;
const downMs = 1000;
const lastWaitMs = 400;
/** From when a client's `startedAt` was taken to when its clock began to run. */
const startingMs = 500;
/** What a machine that is busy with all these clients may add to anything. */
const slackMs = 4000;

test(
  "--reconnect tells the outage of a server that is killed and comes back: every transport",
  async () => {
    await using server = await RestartedServer.start(targetNames);
    const options = ["-c", connections, "-r", ratePerSecond, "-t", "10s", "--timeout", "1500ms"];
    const again = ["--reconnect", `50ms..${lastWaitMs}ms`, "--expect", "outage.back100<9s"];
    const clients = targetNames.map((name) => ({
      name,
      client: startClient([...server.argumentsFor(name), ...options.map(String), ...again]),
    }));
    try {
      await server.server.snapshotWith("every client is busy", ({ endpoints }) => {
        return endpoints.every(({ counts }) => counts.bytesReceived > ratePerSecond * 64);
      }, 20_000);
      await server.restart(downMs);
      await Promise.all(clients.map(async ({ name, client }) => {
        const { exitCode, text, snapshot } = await client.ended;
        const about = `${name}: ${text}`;
        assert.ok(exitCode === 0 || exitCode === 3, about);
        const outage = onlyOutage(snapshot, about);
        assert.equal(outage.connections, connections, about);

        // When it was, by the wall clock.
        const beganAtMs = Date.parse(snapshot.run.startedAt) + outage.beganMs;
        const beganLateMs = beganAtMs - server.killedAtMs;
        assert.ok(
          beganLateMs > -startingMs && beganLateMs < slackMs / 4,
          `${beganLateMs}: ${about}`,
        );
        const { back50Ms, back99Ms, backAllMs, longestGapMs } = outage;
        const leastMs = server.startedAtMs - server.killedAtMs - Math.max(0, beganLateMs) -
          startingMs;
        const mostMs = server.listeningAtMs - server.killedAtMs + lastWaitMs + startingMs + slackMs;
        assert.ok(leastMs > 0);
        assert.ok(back50Ms > leastMs && backAllMs < mostMs, `${leastMs} to ${mostMs}: ${about}`);
        assert.ok(back50Ms <= back99Ms && back99Ms <= backAllMs, about);
        // Each was down from about the beginning until the server was there again.
        assert.ok(longestGapMs > leastMs && longestGapMs <= backAllMs + 1e-6, about);

        // Nothing else went wrong, so that everything that is missing is missing because of it.
        const { messages, anomalies, connections: counts } = snapshot;
        assert.equal(outage.lost, totalLost(messages.lost), about);
        assert.equal(outage.unsent, messages.unsent.noConnection + messages.unsent.heldBack, about);
        assert.equal(outage.late, anomalies.late, about);
        assert.equal(outage.duplicated, anomalies.duplicated, about);
        assert.deepEqual([counts.open, counts.lost, counts.reopened], [connections, 10, 10], about);
        assert.equal(counts.attempted, counts.opened + counts.failed, about);
        assert.equal(outage.failedAttempts, counts.failed, about);
        assert.equal(
          snapshot.histograms.reconnect?.count,
          counts.attempted - 10 - (name === "udp" ? 0 : counts.failed),
          about,
        );
        assert.deepEqual(snapshot.servers, { "127.0.0.1": connections }, about);
        assert.match(text, /^outages +began +connections +half back/m);
        // Others notice it when the line of that second is out.
        if (name === "tcp") assert.match(text, / OUTAGE \d+ of 10 down for \d\.\d{3} s$/m);
      }));
    } finally {
      for (const { client } of clients) await client.program[Symbol.asyncDispose]();
    }
  },
  60_000,
);

test("2,000 connections come back at no more than --connect-rate", async () => {
  await using server = await RestartedServer.start(["tcp"]);
  const options = [
    "-c",
    "2000",
    "--workers",
    "2",
    "--connect-rate",
    "1000",
    "--interval",
    "1s",
    "-t",
    "7s",
  ];
  const client = startClient([
    ...server.argumentsFor("tcp"),
    ...options,
    ...["--reconnect", "20ms..200ms"],
  ]);
  try {
    await server.server.snapshotWith("all are open", ({ total }) => total.open === 2000, 20_000);
    await Bun.sleep(500);
    await server.kill();
    // While it happens.
    for (let down = 0; down < 2000;) {
      const { outages } = await statsOf(client);
      down = outages?.list.at(-1)?.down ?? 0;
      await Bun.sleep(20);
    }
    await server.startAgain();
    const { text, snapshot } = await client.ended;
    const outage = onlyOutage(snapshot, text);
    assert.equal(outage.connections, 2000, text);
    // Some may have reached the end of the old server, and were lost with it once more.
    const { lostAgain } = outage;
    const { open, opened, lost, reopened } = snapshot.connections;
    assert.deepEqual([open, opened, lost, reopened], [
      ...[2000, 4000 + lostAgain, 2000 + lostAgain, 2000 + lostAgain],
    ]);
    assert.ok(lostAgain < 200, text);
    // The second half of them takes a second at this rate, as does the first.
    assert.ok(outage.backAllMs - outage.back50Ms > 900, text);
    // Their messages went on to be due, and could not be sent.
    assert.ok(outage.unsent > 500, text);
    assert.equal(outage.unsent, snapshot.messages.unsent.noConnection, text);
    assert.ok(snapshot.steady.due > 2000 * 7 * 0.99, text);
  } finally {
    await client.program[Symbol.asyncDispose]();
  }
}, 60_000);
