import { test } from "bun:test";
import assert from "node:assert/strict";
import { exitCodes, UsageError } from "../../../lib/errors.ts";
import { commandLineOf } from "../../../lib/options/command_line.ts";
import { idRows } from "../../../lib/p2p/id/options.ts";
import { run } from "../../../lib/p2p/id/run.ts";
import { CollectedIo } from "../../cli/collected_io.ts";

const never = new AbortController().signal;

test("run() prints a peer id for each node id", async () => {
  const io = new CollectedIo();
  assert.equal(await run(commandLineOf(idRows, ["0", "1"]), io, never), exitCodes.ok);
  assert.deepEqual(io.outLines, [
    "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
    "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X",
  ]);
});

test("run() refuses what is no node id, and prints nothing then", async () => {
  for (const wrong of ["", "-1", "1.5", "0x1", "9007199254740992", "one"]) {
    const io = new CollectedIo();
    await assert.rejects(run(commandLineOf(idRows, ["0", wrong]), io, never), UsageError, wrong);
    assert.deepEqual(io.outLines, [], wrong);
  }
});
