import { test } from "bun:test";
import assert from "node:assert/strict";
import { clientRows } from "../../lib/client/options.ts";
import { parseReference } from "../../lib/options/reference.ts";
import { environmentName, isFlag, type Rows } from "../../lib/options/row.ts";
import { doctorRows } from "../../lib/doctor/options.ts";
import { serverRows } from "../../lib/server/options.ts";
import { schemes } from "../../lib/transport/endpoint.ts";

const tables: Record<string, Rows> = {
  server: serverRows,
  client: clientRows,
  doctor: doctorRows,
};

for (const [command, rows] of Object.entries(tables)) {
  const all = Object.entries(rows);

  test(`${command} options have names, short forms and variables of their own`, () => {
    // `help` and `version` belong to the command line itself.
    const names = ["help", "version", ...all.map(([, row]) => row.name)];
    assert.deepEqual(names.filter((name, index) => names.indexOf(name) !== index), []);
    const shorts = ["h", "V", ...all.flatMap(([, row]) => row.short ?? [])];
    assert.deepEqual(shorts.filter((short, index) => shorts.indexOf(short) !== index), []);
    const variables = ["HOLDFAST_DEBUG", ...all.map(([, row]) => environmentName(row))];
    assert.equal(new Set(variables).size, variables.length);
    for (const [, row] of all) {
      assert.match(row.name, /^[a-z]+(-[a-z]+)*$/);
      // `--no-x` is how a flag is turned off.
      assert.doesNotMatch(row.name, /^no-/);
      if (row.short !== undefined) assert.match(row.short, /^[A-Za-z]$/);
    }
  });

  test(`${command} options have summaries of one line of at most 79 columns`, () => {
    for (const [, row] of all) {
      assert.ok(row.summary.length > 0 && row.summary.length <= 79, `${row.name}: ${row.summary}`);
      assert.doesNotMatch(row.summary, /\n|\.$/, row.name);
    }
  });

  test(`${command} options have defaults that read back from what they are shown as`, () => {
    for (const [, row] of all) {
      if (row.presence !== "defaulted") continue;
      assert.deepEqual(row.kind.parse(row.kind.format(row.default)), row.default, row.name);
    }
  });

  test(`${command} flags are off by default, or say what it means to turn them off`, () => {
    for (const [, row] of all) {
      if (!isFlag(row)) continue;
      assert.ok(row.presence === "defaulted", row.name);
      assert.equal(row.default, row.summary.includes(`--no-${row.name}: `), row.name);
    }
  });

  test(`${command} options refer to options and values that exist`, () => {
    for (const [key, row] of all) {
      for (const reference of [...row.conflicts ?? [], ...row.requires ?? []]) {
        const { key: other, value } = parseReference(reference);
        const meant = rows[other];
        assert.ok(meant !== undefined, `${row.name}: ${reference}`);
        assert.notEqual(other, key, `${row.name} refers to itself`);
        if (value !== undefined) {
          assert.equal(meant.kind.format(meant.kind.parse(value)), value, `${row.name}: ${value}`);
        } else {
          // Whether an option with a default is given cannot be told from its value.
          assert.ok(meant.presence !== "defaulted" || isFlag(meant), `${row.name}: ${reference}`);
        }
      }
    }
  });

  test(`${command} conflicts are said on one side only`, () => {
    for (const [key, row] of all) {
      for (const other of row.conflicts ?? []) {
        assert.ok(!rows[other]?.conflicts?.includes(key), `${row.name} and ${other}`);
      }
    }
  });

  test(`${command} options refer to schemes that exist`, () => {
    for (const [, row] of all) {
      const named = [...row.schemes ?? [], ...Object.values(row.schemesOfValue ?? {}).flat()];
      for (const scheme of named) {
        assert.ok((schemes as readonly string[]).includes(scheme), `${row.name}: ${scheme}`);
      }
      for (const value of Object.keys(row.schemesOfValue ?? {})) {
        assert.equal(row.kind.format(row.kind.parse(value)), value);
      }
    }
  });

  test(`${command} settings carry their units`, () => {
    for (const [key, row] of all) {
      const unit = { d: /Ms$/, bytes: /Bytes$/, file: /File$|Directory$/ }[row.kind.placeholder];
      if (unit !== undefined) assert.match(key, unit);
    }
  });
}
