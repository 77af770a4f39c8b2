/** What takes half a minute each, at the same time. */
import { test } from "bun:test";
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { Program } from "../interop/program.ts";
import { BusyServer } from "./server_end.ts";

const root = join(import.meta.dir, "../..");

/** QUIC's idle timeout, and what a busy machine adds. */
const quicNoticesMs = [20_000, 50_000] as const;

test.concurrent("a QUIC server that is killed is missed after the idle timeout", async () => {
  const names = ["quic", "quic datagrams"] as const;
  await using busy = await BusyServer.start(names);
  await busy.end("SIGKILL");
  await Promise.all(names.map((name) => busy.assertNoticed(name, ["idle"], quicNoticesMs)));
}, 90_000);

test.concurrent("the demo shows both transports, and ends by itself with 0", async () => {
  const compiled = Bun.spawnSync([join(root, "compile.sh")], { timeout: 60_000 });
  assert.equal(compiled.exitCode, 0, compiled.stderr.toString());
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
