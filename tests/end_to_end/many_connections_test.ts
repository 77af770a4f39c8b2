import { test } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import { runClient } from "../cli/client_process.ts";
import { testWith } from "../programs.ts";
import { ChildServer } from "../server/running_server.ts";
import { holdfast, holdfastWithin, startClient, statsOf } from "./command_line.ts";

const connections = 15_000;
const fdLimit = 20_000;
/** What a connection may cost each side; they take about 1 KiB. */
const mostBytesEach = 4 * 1024;

test("15,000 TCP connections are held and used, one process on each side", async () => {
  await using server = await ChildServer.start(["tcp://127.0.0.1:0", "--quiet"], fdLimit);
  const target = `tcp://127.0.0.1:${server.portOf("tcp")}`;
  const executable = holdfastWithin(fdLimit);
  const load = [target, "--size", "16", "--interval", "3s", "--timeout", "20s", "-t", "3s"];
  const client = startClient(
    [...load, "-c", String(connections), "--connect-rate", "5000"],
    executable,
  );
  const [clientBefore, serverBefore] = [await statsOf(client), await server.snapshot()];
  const serverHolding = await server.snapshotWith(
    "all are in",
    ({ total }) => total.open === connections,
    30_000,
  );
  const clientHolding = await statsOf(client);
  assert.equal(clientHolding.connections.open, connections);
  assert.ok(clientHolding.generator.openFds > connections);
  assert.ok(serverHolding.process.openFds > connections);
  const clientBytes = clientHolding.generator.rssBytes - clientBefore.generator.rssBytes;
  const serverBytes = serverHolding.process.rssBytes - serverBefore.process.rssBytes;
  for (const bytes of [clientBytes, serverBytes]) {
    const each = bytes / connections;
    assert.ok(each < mostBytesEach, `${each} bytes for each`);
  }

  const { snapshot, text } = await client.ended;
  const { messages } = snapshot;
  assert.deepEqual([snapshot.connections.open, snapshot.connections.failures], [connections, []]);
  assert.ok(messages.sent >= connections, `each was used: ${text}`);
  assert.equal(messages.answered, messages.sent, text);
  assert.equal(snapshot.histograms.connect.count, connections);
  const { total } = await server.snapshotWith("all are out", ({ total }) => total.open === 0);
  assert.equal(total.accepted, connections);
  assert.deepEqual([total.bytesReceived, total.bytesSent], [
    messages.sent * 16,
    total.bytesReceived,
  ]);
  assert.deepEqual([total.refused, total.dropped], [{}, 0]);
}, 90_000);

/** `holdfast` that may have 300 descriptors and cannot raise that, even as root. */
const confined = [
  ...["/bin/sh", "-c", `ulimit -n 300 && exec "$@"`, "sh"],
  ...process.getuid?.() === 0 ? ["setpriv", "--bounding-set=-sys_resource"] : [],
  ...holdfast,
];

testWith(process.getuid?.() === 0 ? ["setpriv"] : [])(
  "a client that may not have enough descriptors says so before it connects",
  async () => {
    await using server = await ChildServer.start(["tcp://127.0.0.1:0"]);
    const target = `tcp://127.0.0.1:${server.portOf("tcp")}`;
    const most = ["-c", "200", "--connect-rate", "2000", "-t", "200ms"];
    const run = await runClient([target, ...most], { executable: confined });
    assert.equal(run.exitCode, 0, run.err);
    assert.equal(run.snapshot!.connections.open, 200);

    const more = await runClient([target, ...most, "-c", "201"], { executable: confined });
    assert.equal(more.exitCode, 2, "an option is given once");
    const tooMany = await runClient([target, "-c", "201"], { executable: confined });
    assert.equal(tooMany.exitCode, 5);
    assert.match(tooMany.err, /^holdfast: 201 connections take 301 file descriptors[^\n]*\n$/);
    assert.match(tooMany.err, /may open 300; .*ulimit -n 301.*at most 200 connections/);
    assert.equal(tooMany.snapshot, undefined);
    assert.equal((await server.snapshot()).total.accepted, 200);
  },
  30_000,
);
