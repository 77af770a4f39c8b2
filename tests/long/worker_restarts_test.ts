import { test } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import { HostLimitError } from "../../lib/errors.ts";
import { LocalServer } from "../server/running_server.ts";
import { childrenOf } from "../workers/alive.ts";

test("workers that end again and again are given up, after waits that grow", async () => {
  const server = await LocalServer.start(["tcp://127.0.0.1:0"], { workers: 2 });
  let hasEnded = false;
  const ended = server.ended.finally(() => hasEnded = true);
  ended.catch(() => {});
  const deadlineMs = performance.now() + 60_000;
  while (!hasEnded && performance.now() < deadlineMs) {
    for (const pid of childrenOf(process.pid)) process.kill(pid, "SIGKILL");
    await Bun.sleep(300);
  }
  await assert.rejects(ended, (error) => {
    assert.ok(error instanceof HostLimitError);
    assert.match(error.message, /^no worker is left to serve/);
    return true;
  });
  assert.deepEqual(childrenOf(process.pid), []);
  const notes = server.noteLines.join("\n");
  assert.match(notes, /worker 1 .*; it is started again in 0\.1 s$/m);
  assert.match(notes, /; it is started again in 5\.0 s$/m);
  assert.match(notes, /worker 2 .* in a row and is not started again$/m);
  // With a report all the same.
  assert.match(server.outLines.join("\n"), /^workers +2 processes$/m);
}, 90_000);
