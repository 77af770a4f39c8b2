import assert from "node:assert/strict";
import { allAnswered, runClient } from "../cli/client_process.ts";
import { testWith } from "../programs.ts";
import { LocalServer } from "../server/running_server.ts";
import { freePort, Program } from "./program.ts";

async function socat(listen: string, ready: RegExp): Promise<[Program, number]> {
  const port = await freePort();
  const address = `${listen.replace(":", `:${port},bind=127.0.0.1`)},fork`;
  return [await Program.start(["socat", "-d", "-d", address, "PIPE"], ready), port];
}

testWith(["socat"])("holdfast client gets every answer of a TCP echo by socat", async () => {
  const [program, port] = await socat("TCP-LISTEN:,reuseaddr", /listening on/);
  await using _ = program;
  const target = `tcp://127.0.0.1:${port}`;
  const held = ["-c", "20", "-r", "2000", "-t", "1s", "--verify"];
  const snapshot = allAnswered(await runClient([target, ...held]));
  assert.equal(snapshot.bytes.received, snapshot.bytes.sent);
  // Messages of 1 MiB pass through pipes of 64 KiB: sends are held up and go on.
  const large = ["--inflight", "1", "--size", "1MiB", "-t", "500ms", "--verify"];
  allAnswered(await runClient([target, ...large]));
}, 20_000);

testWith(["socat"])("holdfast client gets every answer of a UDP echo by socat", async () => {
  // A process for each datagram.
  const [program, port] = await socat("UDP-RECVFROM:", /receiving on/);
  await using _ = program;
  const target = `udp://127.0.0.1:${port}`;
  const load = ["-c", "5", "-r", "100", "--arrivals", "uniform", "-t", "1s", "--verify"];
  const snapshot = allAnswered(await runClient([target, ...load]));
  assert.equal(snapshot.bytes.received, snapshot.bytes.sent);
}, 20_000);

testWith(["socat"])("socat gets its lines back from holdfast server", async () => {
  await using server = await LocalServer.start(["tcp://127.0.0.1:0", "udp://127.0.0.1:0"]);
  for (const scheme of ["tcp", "udp"] as const) {
    const address = `${scheme.toUpperCase()}:127.0.0.1:${server.portOf(scheme)}`;
    await using client = new Program(["socat", "-t", "5", "-", address]);
    for (const line of ["first", "second"]) {
      await client.write(`${line}\n`);
      await client.says(new RegExp(`^${line}$`, "m"));
    }
    if (scheme === "tcp") {
      // The end of its input reaches the server, whose end ends socat before its own patience.
      client.endInput();
      assert.equal(await client.ended(), 0);
    }
  }
  const { total } = await server.snapshotWith("it has gone", ({ total }) => total.open === 0);
  assert.deepEqual([total.bytesReceived, total.bytesSent], [26, 26]);
}, 20_000);
