import { test } from "bun:test";
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";

const lib = join(import.meta.dir, "../../../lib/wamp");

const program = `
  import { Child, holdfastCommand } from "${lib}/ha/child.ts";
  import { routerRows } from "${lib}/router/options.ts";
  const args = ["wamp", "router", "--listen", "ws://127.0.0.1:0/ws", "--duration", "10ms"];
  const command = holdfastCommand(routerRows, ...args, "--stats", "off", "--quiet");
  const child = new Child("a router", command);
  await child.gone;
  console.log(child.said);
`;

test("holdfastCommand() starts a program that takes no options from the environment", async () => {
  const parent = Bun.spawn([process.execPath, "-e", program], {
    stdout: "pipe",
    stderr: "inherit",
    // A key without a certificate is an error of a router.
    env: { ...process.env, HOLDFAST_KEY: "key.pem" },
    timeout: 15_000,
  });
  const said = await new Response(parent.stdout).text();
  assert.match(said, /^listening on ws:.*\nserved 0 sessions/);
}, 20_000);
