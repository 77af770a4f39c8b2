/** What takes ten seconds and more each, at the same time. */
import { test } from "bun:test";
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { formatEndpoint } from "../../lib/transport/endpoint.ts";
import { compile } from "../compiled.ts";
import { Directory, Program } from "../interop/program.ts";
import { ChildServer } from "../server/running_server.ts";
import { startClient } from "./command_line.ts";
import { BusyServer } from "./server_end.ts";

const root = join(import.meta.dir, "../..");

test.concurrent("a QUIC server that stands still is missed after the idle timeout", async () => {
  const names = ["quic", "quic datagrams"] as const;
  await using busy = await BusyServer.start(names, ["--idle-timeout", "6s"]);
  busy.freeze();
  const noticedMs = [4000, 20_000] as const;
  await Promise.all(names.map((name) => busy.assertNoticed(name, ["idle"], noticedMs)));
}, 90_000);

test.concurrent(
  "a run that is over before that counts what was lost, and may expect none",
  async () => {
    using directory = new Directory();
    const certificates = join(directory.path, "made");
    await using server = await ChildServer.start([
      ...["quic://127.0.0.1:0", "--write-cert", certificates, "--quiet"],
    ]);
    const target = [formatEndpoint(server.endpoints[0]!), "--ca", join(certificates, "ca.pem")];
    const load = ["-c", "5", "-r", "200", "-t", "8s", "--timeout", "1s"];
    const clients = [[], ["--expect", "lost==0"]].map((expectation) =>
      startClient([...target, ...load, ...expectation])
    );
    await server.snapshotWith("both are busy", ({ total }) => total.bytesReceived > 64 * 400);
    server.kill("SIGSTOP");
    for (const [index, { ended }] of clients.entries()) {
      const { exitCode, text, snapshot } = await ended;
      assert.equal(exitCode, index, text);
      const { messages, connections } = snapshot;
      assert.ok(messages.answered > 0 && messages.lost.timeout > 0, text);
      assert.equal(messages.lost.timeout, messages.sent - messages.answered, text);
      assert.deepEqual([connections.open, connections.failures], [5, []]);
      if (index === 1) assert.match(text, /^expectations +FAIL +lost==0 +\d/m);
    }
  },
  60_000,
);

test.concurrent("the demo shows both transports, and ends by itself with 0", async () => {
  await compile();
  await using demo = new Program([process.execPath, join(root, "demo.ts")]);
  assert.equal(await demo.ended(), 0, demo.text);
  for (const scheme of ["tcp", "ws"]) {
    const start = demo.text.indexOf(`$ holdfast client ${scheme}://127.0.0.1:`);
    assert.ok(start >= 0, demo.text);
    const shown = demo.text.slice(start);
    assert.match(shown, /the server's http:\S+ meanwhile: 1000 connections open, \d+ bytes rec/);
    assert.match(shown, /^connections +1,000 +1,000 +100 % /m);
    assert.match(shown, /^response time +\d/m);
    assert.match(shown, /^verdict /m);
  }
}, 90_000);
