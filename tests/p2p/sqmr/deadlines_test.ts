import { test } from "bun:test";
import assert from "node:assert/strict";
import { Deadlines } from "../../../lib/p2p/sqmr/deadlines.ts";
import { readQuery } from "../../../lib/p2p/sqmr/query_reader.ts";
import { connectionOf, Heard, until, withPeers } from "./peers.ts";

test("Deadlines share a signal within a second, which aborts in time", async () => {
  const deadlines = new Deadlines(100);
  const start = performance.now();
  const signals = new Set(Array.from({ length: 1_000 }, () => deadlines.next()));
  assert.ok(signals.size <= 2, `${signals.size} signals`);
  assert.ok([...signals].every((signal) => !signal.aborted));
  await until("all aborted", () => [...signals].every((signal) => signal.aborted));
  assert.ok(performance.now() - start >= 1_000);
  assert.match(String([...signals][0]?.reason), /timed out after 0.1 s/);
  assert.equal(deadlines.next().aborted, false);
  deadlines.stop(new Error("over"));
});

test("Deadlines abort all at once when they are stopped", () => {
  const deadlines = new Deadlines(120_000);
  const signal = deadlines.next();
  deadlines.stop(new Error("over"));
  assert.ok(signal.aborted);
  assert.match(String(signal.reason), /over/);
  assert.ok(deadlines.next().aborted);
});

withPeers("readQuery() gives up a query that does not come in time", async (started) => {
  const deadline = new AbortController();
  const failures: Error[] = [];
  const server = await started.peer(1, [], {
    serves: {
      protocols: ["/slow/1.0.0"],
      handler: (stream) =>
        readQuery(stream, deadline.signal, {
          query: () => assert.fail("there is none"),
          failed: (failure) => failures.push(failure),
        }),
    },
  });
  const connection = await connectionOf(await started.peer(0, server.addresses));
  const stream = await connection.newStream("/slow/1.0.0");
  const heard = new Heard(stream);
  stream.send(new Uint8Array(10));
  await Bun.sleep(20);
  assert.deepEqual([failures.length, heard.ended], [0, false]);
  deadline.abort();
  await until("a reset", () => heard.ended);
  assert.match(failures[0]?.message ?? "", /did not come in time/);
  assert.ok(heard.failure !== undefined);
  assert.equal(connection.status, "open");
});
