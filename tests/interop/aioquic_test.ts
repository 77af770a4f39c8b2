import assert from "node:assert/strict";
import { join } from "node:path";
import { makeCertificate } from "../../lib/transport/certificates.ts";
import { allAnswered, runClient } from "../cli/client_process.ts";
import { pythonWith, testWith } from "../programs.ts";
import { LocalServer } from "../server/running_server.ts";
import { Directory, Program } from "./program.ts";

const needs = "aioquic";
const script = (name: string) => [pythonWith(needs), join(import.meta.dir, name)];

testWith([needs])("holdfast client gets every answer of a server by aioquic", async () => {
  using directory = new Directory();
  const { ca, cert, key } = await makeCertificate({
    names: ["localhost"],
    addresses: ["127.0.0.1"],
  });
  const caFile = await directory.write("ca.pem", ca);
  const certFile = await directory.write("cert.pem", cert);
  const keyFile = await directory.write("key.pem", key);
  await using program = await Program.start(
    [...script("aioquic_server.py"), certFile, keyFile],
    /port (\d+)\n/,
  );
  const target = `quic://127.0.0.1:${/port (\d+)/.exec(program.text)?.[1]}`;
  const load = ["-c", "10", "-r", "200", "-t", "500ms", "--verify"];
  const trusting = [target, "--ca", caFile];
  const onStreams = allAnswered(await runClient([...trusting, ...load, "--size", "3000"]));
  assert.equal(onStreams.bytes.received, onStreams.bytes.sent);
  await program.says(/handshake echo/);
  allAnswered(await runClient([...trusting, ...load, "--connections-per-socket", "1"]));
  allAnswered(await runClient([...trusting, ...load, "--datagrams"]));
  allAnswered(
    await runClient([...trusting, "--inflight", "1", "--size", "1MiB", "-t", "200ms", "--verify"]),
  );

  const unknown = await runClient([target, ...load]);
  assert.equal(unknown.exitCode, 4);
  assert.match(unknown.err, /^holdfast: quic:[^\n]*10 tls \([^\n]*\n$/);
  const stranger = await runClient([...trusting, ...load, "--alpn", "chat"]);
  assert.equal(stranger.exitCode, 4);
  assert.match(stranger.err, /^holdfast: quic:[^\n]*10 tls \([^\n]*\n$/);
}, 40_000);

testWith([needs])("aioquic finds holdfast server to be a good echo", async () => {
  using directory = new Directory();
  await using server = await LocalServer.start(
    ["quic://127.0.0.1:0"],
    { writeCertDirectory: directory.path },
  );
  const arguments_ = [`${server.portOf("quic")}`, `${directory.path}/ca.pem`];
  await using client = new Program([...script("aioquic_client.py"), ...arguments_]);
  client.endInput();
  assert.equal(await client.ended(), 0, client.text);
  for (
    const line of [
      "streams",
      "10 at once",
      "datagrams",
      "another protocol: refused",
      "another name: refused",
    ]
  ) assert.ok(client.text.split("\n").includes(line), `${line}: ${client.text}`);
  const { total } = await server.snapshotWith("all have gone", ({ total }) => total.open === 0);
  assert.equal(total.bytesReceived, total.bytesSent);
}, 40_000);
