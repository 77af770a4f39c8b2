import { test } from "bun:test";
import assert from "node:assert/strict";
import type { Command } from "../../lib/cli/command.ts";
import { commands } from "../../lib/cli/commands.ts";
import { commandHelp, flagsOf, overviewHelp } from "../../lib/cli/help.ts";
import { main } from "../../lib/cli/main.ts";
import { exitCodes } from "../../lib/errors.ts";
import { CollectedIo } from "./collected_io.ts";

const texts: [string, string][] = [
  ["holdfast", overviewHelp(commands)],
  ...commands.map((command): [string, string] => [
    `holdfast ${command.name}`,
    commandHelp(command),
  ]),
];

for (const [name, text] of texts) {
  test(`${name} --help fits 80 columns`, () => {
    for (const line of text.split("\n")) {
      assert.ok(line.length <= 80, `${line.length} columns: ${line}`);
      assert.doesNotMatch(line, /\s$/, `trailing space: ${line}`);
    }
  });

  test(`${name} --help ends with command lines`, () => {
    const examples = text.split("\nExamples:\n")[1] ?? "";
    assert.ok(examples.split("\n").filter((line) => !line.startsWith("  #")).length >= 3);
    for (const line of examples.split("\n")) assert.match(line, /^ {2}(holdfast|curl|#| {2}--)/);
  });
}

for (const command of commands) {
  test(`holdfast ${command.name} --help has every option and category`, () => {
    const text = commandHelp(command);
    for (const row of Object.values(command.rows)) {
      assert.ok(text.includes(` ${flagsOf(row)}`), row.name);
      assert.ok(text.includes(`\n${row.category}:\n`), row.category);
    }
  });
}

/** Splits a command line as a shell does, as far as the examples need it. */
function words(line: string): string[] {
  return [...line.replaceAll("\\\n", " ").matchAll(/'([^']*)'|(\S+)/g)]
    .map(([, quoted, plain]) => quoted ?? plain ?? "");
}

for (const command of commands) {
  for (const { line, purpose } of command.examples) {
    test(`holdfast ${command.name} accepts its example of: ${purpose}`, async () => {
      let ran = false;
      const recorded: Command = {
        ...command,
        load: () =>
          Promise.resolve({
            run: () => {
              ran = true;
              return Promise.resolve(exitCodes.ok);
            },
          }),
      };
      const io = new CollectedIo();
      const [program, ...argv] = words(line);
      assert.equal(program, "holdfast");
      const exitCode = await main(argv, {}, io, new AbortController().signal, [recorded]);
      assert.equal(exitCode, 0, io.noteLines.join("\n"));
      assert.ok(ran);
    });
  }
}

test("every way to ask for help gives the same text", async () => {
  const ask = async (...argv: string[]) => {
    const io = new CollectedIo();
    assert.equal(await main(argv, {}, io, new AbortController().signal), 0);
    assert.deepEqual(io.noteLines, []);
    return io.outLines.join("\n");
  };
  const [, [, server]] = texts as [[string, string], [string, string]];
  assert.equal(await ask("server", "--help"), server);
  assert.equal(await ask("server", "-h"), server);
  assert.equal(await ask("help", "server"), server);
  assert.equal(await ask("server", "tcp://:1", "--max-connections", "5", "--help"), server);
  assert.equal(await ask("--help"), texts[0]?.[1]);
  assert.equal(await ask("help"), texts[0]?.[1]);
});
