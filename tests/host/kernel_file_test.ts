import { test } from "bun:test";
import assert from "node:assert/strict";
import {
  contentOf,
  parseWhole,
  parseWholes,
  sysctlNumber,
  sysctlPath,
  sysctlText,
} from "../../lib/host/kernel_file.ts";
import { brokenTexts, isCount } from "./broken_text.ts";

test("contentOf() is empty where there is nothing to read", () => {
  assert.equal(contentOf("/proc/no/such/file"), "");
  assert.equal(contentOf("/proc"), "");
});

test("parseWhole() takes one whole number, and nothing else", () => {
  assert.equal(parseWhole("4096\n"), 4096);
  assert.equal(parseWhole("0"), 0);
  for (const text of ["", "max", "-1", "1.5", "1 2", "1e3", "9".repeat(19)]) {
    assert.equal(parseWhole(text), undefined, text);
  }
});

test("parseWholes() takes as many as were asked for", () => {
  assert.deepEqual(parseWholes("287898\t383867\t575796\n", 3), [287898, 383867, 575796]);
  for (const text of ["", "1 2", "1 2 3 4", "1 2 x", "1 -2 3"]) {
    assert.equal(parseWholes(text, 3), undefined, text);
  }
  for (const text of brokenTexts("287898\t383867\t575796\n")) {
    assert.ok((parseWholes(text, 3) ?? []).every(isCount), text);
  }
});

test("sysctlPath() names the file of a setting", () => {
  assert.equal(sysctlPath("net.core.somaxconn"), "/proc/sys/net/core/somaxconn");
  assert.equal(sysctlNumber("no.such.setting"), undefined);
  if (process.platform !== "linux") return;
  assert.equal(sysctlNumber("net.core.somaxconn"), Number(sysctlText("net.core.somaxconn")));
});
