import { test } from "bun:test";
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import manifest from "../deno.json" with { type: "json" };
import { alone, executable } from "./compiled.ts";

const root = join(import.meta.dir, "..");

async function run(command: readonly string[], cwd = root) {
  const child = Bun.spawn([...command], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 120_000,
    killSignal: "SIGKILL",
  });
  const [out, err, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { out, err, exitCode };
}

test("compile.sh makes an executable, from any directory", async () => {
  const { out, err, exitCode } = await alone(() => run([join(root, "compile.sh")], "/"));
  assert.equal(exitCode, 0, err);
  assert.match(out, /^dist\/holdfast(\.exe)? {2}\d+ MB\n$/);
}, 150_000);

test("the executable knows its version, its commands and errors", async () => {
  assert.deepEqual(await run([executable, "--version"], "/"), {
    out: `${manifest.version}\n`,
    err: "",
    exitCode: 0,
  });
  const fromSource = await run([process.execPath, "mod.ts", "client", "--help"]);
  assert.deepEqual(await run([executable, "client", "--help"], "/"), fromSource);
  const wrong = await run([executable, "client", "gopher://box"], "/");
  assert.match(wrong.err, /^holdfast: [^\n]*unknown scheme "gopher"[^\n]*\n$/);
  assert.equal(wrong.exitCode, 2);
});

test("compile.sh names the targets when it does not know one", async () => {
  const { err, exitCode } = await run(["./compile.sh", "linux-arm64", "amiga"]);
  assert.equal(exitCode, 2);
  assert.match(err, /unknown target 'amiga'; use linux-x64, .*windows-arm64 or all\n$/);
});
