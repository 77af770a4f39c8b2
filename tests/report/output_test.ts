import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileError } from "../../lib/errors.ts";
import type { Io } from "../../lib/report/io.ts";
import { writeSnapshotJson } from "../../lib/report/json.ts";
import { openOutput } from "../../lib/report/output.ts";
import { parseSnapshot } from "../../lib/stats/snapshot_json.ts";
import { clientSnapshot } from "../stats/sample_snapshots.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-output-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** An Io that keeps what is written to stdout. */
function collectingIo(): { io: Io; written: () => string } {
  const chunks: Uint8Array[] = [];
  const unexpected = () => assert.fail("unexpected use of Io");
  return {
    io: {
      out: unexpected,
      note: unexpected,
      live: unexpected,
      isTerminal: false,
      readStdin: () => Promise.resolve(""),
      write: (bytes) => void chunks.push(bytes.slice()),
    },
    written: () => Buffer.concat(chunks).toString(),
  };
}

const encode = (text: string) => new TextEncoder().encode(text);

test("openOutput() empties the file and writes in order", () => {
  const path = join(directory, "file");
  writeFileSync(path, "what was there before");
  const output = openOutput(path, collectingIo().io);
  const bytes = encode("one ");
  output.write(bytes);
  bytes.fill(0);
  output.write(encode("two"));
  output.close();
  output.close();
  assert.equal(readFileSync(path, "utf8"), "one two");
  assert.throws(() => output.write(encode("three")), FileError);
});

test("openOutput() takes - for stdout", () => {
  const { io, written } = collectingIo();
  const output = openOutput("-", io);
  output.write(encode("result"));
  output.close();
  assert.equal(written(), "result");
});

test("openOutput() says which file cannot be written, and why", () => {
  const { io } = collectingIo();
  for (const path of [join(directory, "no", "such", "directory"), directory, ""]) {
    assert.throws(
      () => openOutput(path, io),
      (error) =>
        error instanceof FileError && error.message.includes(JSON.stringify(path)) &&
        /ENOENT|EISDIR/.test(error.message) && error.cause !== undefined,
    );
  }
});

test("write() reports a full disk", () => {
  const output = openOutput("/dev/full", collectingIo().io);
  assert.throws(() => output.write(encode("x")), /cannot write "\/dev\/full": ENOSPC/);
  output.close();
});

test("writeSnapshotJson() writes what parseSnapshot() reads", () => {
  const { io, written } = collectingIo();
  writeSnapshotJson(openOutput("-", io), clientSnapshot());
  const read = parseSnapshot(written());
  assert.ok(read.role === "client");
  assert.equal(
    read.histograms.response.encode(),
    clientSnapshot().histograms.response.encode(),
  );
  assert.ok(written().endsWith("}\n"));
});
