import { test } from "bun:test";
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { parseEndpoint } from "../../lib/transport/endpoint.ts";
import { allAnswered, runClient } from "../cli/client_process.ts";
import { alone, compile, executable as compiled } from "../compiled.ts";
import { Directory, Program } from "./program.ts";

test("dist/holdfast, copied alone, is server and client on every transport", async () => {
  await compile();
  using directory = new Directory();
  const bare = join(directory.path, "box");
  mkdirSync(bare);
  const executable = join(bare, basename(compiled));
  await alone(() => copyFileSync(compiled, executable));

  const schemes = ["tcp", "tls", "udp", "ws", "wss", "quic"];
  const certificates = join(directory.path, "certificates");
  await using server = new Program([
    ...[executable, "server", ...schemes.map((scheme) => `${scheme}://127.0.0.1:0`)],
    ...["--write-cert", certificates, "--stats", "127.0.0.1:0"],
  ], bare);
  const [, stats] = await server.says(/^statistics on (\S+)$/m);
  const endpoints = [...server.text.matchAll(/^listening on (\S+)$/gm)]
    .map(([, text]) => parseEndpoint(text!));
  assert.deepEqual(endpoints.map(({ scheme }) => scheme), schemes);

  for (const { scheme, port } of endpoints) {
    const isSecure = ["tls", "wss", "quic"].includes(scheme);
    const trust = isSecure ? ["--ca", join(certificates, "ca.pem")] : [];
    const load = ["-c", "10", "-r", "200", "-t", "300ms", "--verify"];
    const target = `${scheme}://127.0.0.1:${port}`;
    allAnswered(await runClient([target, ...trust, ...load], { executable: [executable] }));
  }
  const snapshot = await (await fetch(`${stats}stats`)).json();
  assert.equal(snapshot.total.bytesReceived, snapshot.total.bytesSent);
  const page = await (await fetch(stats!)).text();
  assert.match(page, /<html/);

  server.interrupt();
  assert.equal(await server.ended(), 0, server.text);
  assert.match(server.text, /holdfast server, /);

  // As several processes on either side, each a copy of it.
  await using workers = new Program([
    ...[executable, "server", "ws://127.0.0.1:0", "--workers", "2", "--stats", "off"],
  ], bare);
  const [, shared] = await workers.says(/^listening on (\S+)$/m);
  const load = ["-c", "10", "-r", "200", "-t", "300ms", "--workers", "2"];
  const both = allAnswered(await runClient([shared!, ...load], { executable: [executable] }));
  assert.equal(both.workers?.length, 2);
  workers.interrupt();
  assert.equal(await workers.ended(), 0, workers.text);
  assert.match(workers.text, /^workers +2 processes$/m);
  // Nothing is unpacked beside it.
  assert.deepEqual(readdirSync(bare), [basename(compiled)]);
}, 150_000);
