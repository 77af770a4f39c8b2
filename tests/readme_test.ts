import { test } from "bun:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commands } from "../lib/cli/commands.ts";
import { flagsOf } from "../lib/cli/help.ts";
import { referenceText } from "../lib/cli/reference.ts";

const root = join(import.meta.dir, "..");

test("referenceText() has a row for every option", () => {
  const text = referenceText(commands);
  for (const { name, rows } of commands) {
    const section = text.split(`### holdfast ${name}\n`)[1]?.split("\n### ")[0] ?? "";
    for (const row of Object.values(rows)) {
      assert.ok(section.includes(`| \`${flagsOf(row).replaceAll("|", "\\|")}\``), row.name);
    }
  }
});

test("referenceText() has tables whose columns are aligned", () => {
  const widths = new Map<number, number[]>();
  let table = 0;
  for (const line of referenceText(commands).split("\n")) {
    if (!line.startsWith("|")) table++;
    else widths.set(table, [...widths.get(table) ?? [], line.length]);
  }
  assert.ok(widths.size >= 5);
  for (const lengths of widths.values()) assert.equal(new Set(lengths).size, 1);
});

test("the README contains what holdfast reference prints", () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  assert.ok(
    readme.includes(`\n${referenceText(commands)}\n`),
    "the option reference is out of date; replace it with the output of: bun mod.ts reference",
  );
});
