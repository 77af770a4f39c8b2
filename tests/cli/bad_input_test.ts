import { test } from "bun:test";
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { ChildServer } from "../server/running_server.ts";
import { assertOneLine, inDirectory } from "./bad_input.ts";
import { allAnswered, runClient } from "./client_process.ts";
import * as wrong from "./wrong_servers.ts";

test("holdfast client whose connections find no source port ends with 5", async () => {
  await using server = await wrong.tcpServer(wrong.echo);
  const taken = await wrong.tcpServer(wrong.echo);
  await using _ = taken;
  const { exitCode, err } = await runClient([
    ...[`tcp://127.0.0.1:${server.port}`, "--source-ports", `${taken.port}-${taken.port}`],
    ...["-c", "3", "-t", "300ms"],
  ]);
  assertOneLine(err);
  assert.match(err, /3 connections take a source port each, and 0 of --source-ports \d+-\d+ are/);
  assert.match(err, /give a wider range of --source-ports or further addresses with --source/);
  assert.equal(exitCode, 5);
});

test("holdfast client keeps its report when a file cannot be written to its end", async () => {
  await using server = await wrong.tcpServer(wrong.echo);
  const pipe = inDirectory("pipe");
  assert.equal(Bun.spawnSync(["mkfifo", pipe]).exitCode, 0);
  const reader = Bun.spawn(["head", "-c", "1000", pipe], { stdout: "ignore" });
  const load = ["-c", "2", "-r", "1000", "-t", "2s", "--max-schedule-error", "1m"];
  const { exitCode, err, out, snapshot } = await runClient(
    [`tcp://127.0.0.1:${server.port}`, ...load, "--csv", pipe],
  );
  await reader.exited;
  assert.equal(exitCode, 2);
  assertOneLine(err);
  assert.match(err, /cannot write "\S+pipe": EPIPE/);
  assert.match(out, /^verdict +ok$/m);
  assert.ok(snapshot !== undefined && snapshot.steadyMs > 1900);
  assert.equal(snapshot.messages.answered, snapshot.messages.sent);
});

/** Opens a connection, sends, and waits until the server has had its say about it. */
async function throwAt(port: number, bytes: Uint8Array, isTls = false): Promise<void> {
  const socket = isTls
    ? connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false })
    : connect(port, "127.0.0.1");
  socket.on("error", () => {});
  const closed = once(socket, "close");
  await Promise.race([closed, once(socket, isTls ? "secureConnect" : "connect").catch(() => {})]);
  socket.end(bytes);
  socket.resume();
  await Promise.race([closed, Bun.sleep(500)]);
  socket.destroy();
}

test("holdfast server survives random bytes on every listener, and serves on", async () => {
  const schemes = ["tcp", "tls", "udp", "ws", "wss", "quic"] as const;
  const server = await ChildServer.start([
    ...schemes.map((scheme) => `${scheme}://127.0.0.1:0`),
    ...["--write-cert", inDirectory("made"), "--quiet"],
  ]);
  await using _ = server;
  const datagrams = createSocket("udp4");
  for (let round = 0; round < 20; round++) {
    const noise = randomBytes(1 + Math.floor(Math.random() * 3000));
    await Promise.all([
      ...(["tcp", "tls", "ws", "wss"] as const).map((scheme) =>
        throwAt(server.portOf(scheme), noise)
      ),
      ...(["tls", "wss"] as const).map((scheme) => throwAt(server.portOf(scheme), noise, true)),
    ]);
    for (const scheme of ["udp", "quic"] as const) {
      datagrams.send(noise.subarray(0, 1200), server.portOf(scheme), "127.0.0.1");
    }
  }
  datagrams.close();
  const { total } = await server.snapshotWith("nobody is left", ({ total }) => total.open === 0);
  assert.ok(Object.values(total.refused).some((count) => count > 0), JSON.stringify(total));
  for (const { scheme, port } of server.endpoints) {
    const isSecure = ["tls", "wss", "quic"].includes(scheme);
    const trust = isSecure ? ["--ca", inDirectory("made/ca.pem")] : [];
    const load = ["-c", "3", "-r", "100", "-t", "200ms", "--verify"];
    allAnswered(await runClient([`${scheme}://127.0.0.1:${port}`, ...trust, ...load]));
  }
  server.kill("SIGINT");
  assert.equal(await server.ended(), 0);
  const notes = server.noteLines.filter((line) => !line.includes("Warning") && line !== "");
  for (const line of notes) assert.doesNotMatch(line, /^\s+at |this is a bug|Error:/, line);
}, 60_000);
