import assert from "node:assert/strict";
import { test } from "bun:test";
import { RefusalNotes } from "../../lib/server/refusal_notes.ts";

test("RefusalNotes say the first refusal at once and add up those that follow", () => {
  const lines: string[] = [];
  const notes = new RefusalNotes((line) => lines.push(line));
  for (let i = 0; i < 500; i++) notes.add("full", i);
  notes.add("odd", 100);
  assert.deepEqual(lines, ["refused a connection: full", "refused a connection: odd"]);
  notes.flush(900);
  assert.equal(lines.length, 2);
  notes.flush(1000);
  assert.deepEqual(lines.slice(2), ["refused 499 connections: full"]);
  notes.flush(9000);
  assert.equal(lines.length, 3, "nothing new, nothing said");
});

test("RefusalNotes say the rest at the end", () => {
  const lines: string[] = [];
  const notes = new RefusalNotes((line) => lines.push(line));
  notes.add("full", 0);
  notes.add("full", 1);
  notes.flush(Infinity);
  assert.deepEqual(lines, ["refused a connection: full", "refused a connection: full"]);
});

test("RefusalNotes stay bounded when the reasons vary", () => {
  const lines: string[] = [];
  const notes = new RefusalNotes((line) => lines.push(line));
  for (let i = 0; i < 10_000; i++) notes.add(`peer ${i}`, i);
  assert.equal(lines.length, 100);
});
