import { test } from "bun:test";
import assert from "node:assert/strict";
import type { FailureKind } from "../../lib/stats/failure.ts";
import { BusyServer } from "./server_end.ts";
import { type TargetName, targetNames } from "./targets.ts";

/** UDP has no end of a connection: the host says that nobody is there any more. */
const orderly = (name: TargetName): FailureKind => name === "udp" ? "refused" : "closed-by-peer";

test("SIGTERM ends holdfast server in order, and its clients say that it has ended", async () => {
  await using busy = await BusyServer.start(targetNames);
  assert.equal(await busy.end("SIGTERM"), 0);
  // The final report: everybody was let in and sent home.
  const rows = busy.server.outLines.map((line) => line.trim().split(/\s{2,}/));
  const header = rows.find(([name]) => name === "endpoint")!;
  const total = rows.find(([name]) => name === "total")!;
  const figure = (name: string) => total[header.indexOf(name)];
  const connected = String(5 * (targetNames.length - 1));
  assert.deepEqual(["open", "accepted", "closed", "failed"].map(figure), [
    ...["0", connected, connected, "0"],
  ]);
  await Promise.all(
    targetNames.map((name) => busy.assertNoticed(name, [orderly(name)], [0, 10_000])),
  );
}, 60_000);

test("a server that is killed ends the runs of its clients, and no figure is lost", async () => {
  await using busy = await BusyServer.start(targetNames);
  await busy.end("SIGKILL");
  // Over UDP it is the host that says that nobody is there any more.
  const kinds = (name: TargetName): FailureKind[] =>
    name === "udp" || name.startsWith("quic") ? ["refused"] : ["reset", "closed-by-peer"];
  await Promise.all(targetNames.map((name) => busy.assertNoticed(name, kinds(name), [0, 10_000])));
}, 60_000);
