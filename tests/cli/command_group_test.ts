import { test } from "bun:test";
import assert from "node:assert/strict";
import { readArgv } from "../../lib/cli/argv.ts";
import type { Command } from "../../lib/cli/command.ts";
import { UsageError } from "../../lib/errors.ts";
import { count } from "../../lib/options/quantity.ts";
import { row, type Rows } from "../../lib/options/row.ts";

const rows: Rows = {
  nodes: row({ name: "nodes", kind: count, category: "Nodes", summary: "how many" }),
};

function command(name: string, least = 0): Command {
  return {
    name,
    summary: `what ${name} does`,
    arguments: { name: "id", least, most: 1, summary: [] },
    rows,
    examples: [],
    load: () => Promise.reject(new Error("is not run here")),
  };
}

const commands = [command("single"), command("ring node", 1), command("ring local")];
const read = (...argv: string[]) => readArgv(argv, commands, "1.2.3");

test("readArgv() takes a command of two words", () => {
  const invocation = read("ring", "node", "7", "--nodes", "3");
  assert.ok(invocation.action === "run");
  assert.equal(invocation.command.name, "ring node");
  assert.deepEqual(invocation.positional, ["7"]);
  assert.deepEqual(invocation.texts.get("nodes"), { texts: ["3"], source: "--nodes" });
  const other = read("ring", "local");
  assert.ok(other.action === "run" && other.command.name === "ring local");
});

test("readArgv() shows the commands of a group", () => {
  for (const argv of [["ring", "--help"], ["help", "ring"]]) {
    const invocation = read(...argv);
    assert.ok(invocation.action === "print", argv.join(" "));
    assert.match(invocation.text, /ring node +what ring node does\n +ring local/);
    assert.doesNotMatch(invocation.text, /single/);
  }
  const alone = read("ring");
  assert.ok(alone.action === "no-command" && alone.text.includes("ring local"));
  const all = read("--help");
  assert.ok(all.action === "print" && /ring node +what/.test(all.text));
});

test("readArgv() shows the help of a command of two words", () => {
  for (const argv of [["ring", "node", "--help"], ["help", "ring", "node"]]) {
    const invocation = read(...argv);
    assert.ok(invocation.action === "print", argv.join(" "));
    assert.match(invocation.text, /^Usage: holdfast ring node <id> \[options\]$/m);
  }
});

test("readArgv() says what a group has, where there is no such command", () => {
  const refuses = (argv: string[], expected: RegExp) =>
    assert.throws(() => read(...argv), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, expected);
      return true;
    });
  refuses(["ring", "nodes"], /^there is no command "ring nodes"; use ring node or ring local$/);
  refuses(
    ["ring", "nod", "5", "--nodes", "3"],
    /^there is no command "ring nod"; use ring node or/,
  );
  refuses(["help", "rong"], /^there is no command "rong"; use single, ring node or ring local$/);
  refuses(["ring", "node"], /^holdfast ring node needs an id/);
  refuses(["ring", "local", "--knots", "1"], /unknown option.*holdfast ring local --help/);
});
