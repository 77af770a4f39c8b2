import { test } from "bun:test";
import assert from "node:assert/strict";
import { readArgv } from "../../lib/cli/argv.ts";
import { commands } from "../../lib/cli/commands.ts";
import { commandHelp } from "../../lib/cli/help.ts";
import { UsageError } from "../../lib/errors.ts";
import { backoff } from "../../lib/options/backoff.ts";
import { givenByEnvironment, resolve } from "../../lib/options/resolve.ts";
import { hasBare } from "../../lib/options/row.ts";
import { serverId } from "../../lib/options/server_id.ts";

const client = commands.find(({ name }) => name === "client")!;

/** The positional arguments and what `--reconnect` came to. */
function read(...argv: string[]) {
  const invocation = readArgv(["client", ...argv], commands, "0");
  assert.ok(invocation.action === "run");
  const { settings } = resolve(client.rows, invocation.texts);
  const reconnect = (settings as Record<string, unknown>)["reconnect"];
  return [invocation.positional, reconnect];
}

test("an option that can do without a value takes no endpoint and no option for it", () => {
  const standard = { firstMs: 50, lastMs: 5000 };
  assert.deepEqual(read("--reconnect", "tcp://a:1"), [["tcp://a:1"], standard]);
  assert.deepEqual(read("tcp://a:1", "--reconnect"), [["tcp://a:1"], standard]);
  assert.deepEqual(read("tcp://a:1", "--reconnect", "-c", "5"), [["tcp://a:1"], standard]);
  const own = { firstMs: 100, lastMs: 10_000 };
  assert.deepEqual(read("--reconnect", "100ms..10s", "tcp://a:1"), [["tcp://a:1"], own]);
  assert.deepEqual(read("tcp://a:1", "--reconnect=100ms..10s"), [["tcp://a:1"], own]);
  assert.deepEqual(read("tcp://a:1"), [["tcp://a:1"], undefined]);
  assert.throws(() => read("tcp://a:1", "--reconnect", "soon"), UsageError);
});

test("the environment gives it with a value, or with on", () => {
  const given = (text: string) =>
    givenByEnvironment(client.rows, { HOLDFAST_RECONNECT: text }).get("reconnect")?.texts;
  assert.deepEqual(given("on"), ["50ms..5s"]);
  assert.deepEqual(given("1s..2s"), ["1s..2s"]);
  assert.equal(given("off"), undefined);
});

test("help shows that the value can be left out, and what it is then", () => {
  const help = commandHelp(client).replaceAll(/\s+/g, " ");
  assert.match(help, /--reconnect \[first\.\.last\] .*\(default: off; alone: 50ms\.\.5s\)/);
});

test("backoff reads two waits or one", () => {
  assert.deepEqual(backoff.parse("100ms..10s"), { firstMs: 100, lastMs: 10_000 });
  assert.deepEqual(backoff.parse("1s"), { firstMs: 1000, lastMs: 1000 });
  for (const text of ["50ms..5s", "1s", "1.5s..1m"]) {
    assert.deepEqual(backoff.parse(backoff.format(backoff.parse(text))), backoff.parse(text));
  }
  for (const text of ["", "5s..1s", "1..2", "1s..", "0..5s", "1s..2s..3s", "..", "1s-2s"]) {
    assert.throws(() => backoff.parse(text), UsageError, text);
  }
});

test("serverId takes what fits the answer, and no endpoint", () => {
  for (const text of ["a", "Host-1.example:4711_x", "x".repeat(32)]) {
    assert.equal(serverId.format(serverId.parse(text)), text);
  }
  for (const text of ["", "x".repeat(33), "a b", "tcp://a:1", "ä"]) {
    assert.throws(() => serverId.parse(text), UsageError, text);
  }
});

test("what an option means without a value can be written as one", () => {
  for (const { rows } of commands) {
    for (const row of Object.values(rows).filter(hasBare)) {
      assert.deepEqual(row.kind.parse(row.kind.format(row.bare)), row.bare, row.name);
      assert.equal(row.presence, "optional", row.name);
    }
  }
});
