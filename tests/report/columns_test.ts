import { test } from "bun:test";
import assert from "node:assert/strict";
import { alignRight, labelled, labelledList, maxColumns } from "../../lib/report/columns.ts";

test("alignRight() makes columns as wide as their widest cell", () => {
  assert.deepEqual(alignRight([["", "a"], ["long", "1,000"], ["b", ""]], [0, 0]), [
    "          a",
    "long  1,000",
    "b",
  ]);
});

test("labelled() breaks at spaces and goes on under the beginning", () => {
  const words = Array.from({ length: 60 }, (_, index) => `word${index}`);
  const lines = labelled("label", words.join(" "));
  assert.ok(lines.length > 1);
  assert.ok(lines.every((line) => line.length <= maxColumns));
  assert.ok(lines[0]!.startsWith("label             word0"));
  assert.ok(lines.slice(1).every((line) => /^ {18}\S/.test(line)));
  assert.deepEqual(lines.join(" ").split(/ +/), ["label", ...words]);
});

test("labelled() keeps a word that is too long for a line", () => {
  const word = "x".repeat(200);
  assert.deepEqual(labelled("a", word), [`a${" ".repeat(17)}${word}`]);
});

test("labelledList() shows the label once and indents under bullets", () => {
  const lines = labelledList("label", ["one", "two ".repeat(40).trim()], "- ");
  assert.equal(lines[0], "label             - one");
  assert.match(lines[1]!, /^ {18}- two/);
  assert.match(lines[2]!, /^ {20}two/);
  assert.deepEqual(labelledList("label", []), []);
});
