import { test } from "bun:test";
import assert from "node:assert/strict";
import { exitCodes } from "../../../lib/errors.ts";
import { commandLineOf } from "../../../lib/options/command_line.ts";
import { backendRows, type BackendSettings } from "../../../lib/wamp/backend/options.ts";
import { run as runBackend } from "../../../lib/wamp/backend/run.ts";
import type { ProbeSettings } from "../../../lib/wamp/probe/options.ts";
import { CollectedIo } from "../../cli/collected_io.ts";
import { until, withRouter } from "../router/local_router.ts";
import { assertComplete, probe } from "./probe_run.ts";

const forms: { name: string; changes: Partial<ProbeSettings>; isRaw?: true }[] = [
  { name: "json", changes: { serializer: "json" } },
  { name: "msgpack, batched", changes: { serializer: "msgpack", batched: true, stride: 5 } },
  { name: "cbor, open loop", changes: { openLoop: true, loops: 2 } },
  { name: "json over rawsocket", changes: { serializer: "json" }, isRaw: true },
  { name: "msgpack over rawsocket", changes: { serializer: "msgpack" }, isRaw: true },
  { name: "cbor over rawsocket", changes: {}, isRaw: true },
];

for (const { name, changes, isRaw } of forms) {
  test(`wamp probe has every event once with ${name}`, async () => {
    await withRouter(async ({ ws, rs }) => {
      const outcome = await probe({ ...changes, urls: [isRaw ? rs : ws] });
      assert.equal(outcome.exitCode, exitCodes.ok, outcome.io.noteLines.join("\n"));
      assertComplete(outcome, 4);
      assert.deepEqual(outcome.snapshot.sessions.opened, 4);
    });
  });
}

test("wamp probe in several processes calls what wamp backend has registered", async () => {
  await withRouter(async ({ ws, rs }) => {
    const stop = new AbortController();
    const backendIo = new CollectedIo();
    const backendLine = commandLineOf(
      backendRows,
      [],
      {
        urls: [rs],
        serializer: "msgpack",
        nodes: 2,
      } satisfies Partial<BackendSettings>,
    );
    const backend = runBackend(backendLine, backendIo, stop.signal);
    await until(() => backendIo.noteLines.some((line) => line.startsWith("registered")));
    const outcome = await probe({
      urls: [ws],
      clients: 2,
      connections: 2,
      calls: true,
      nodes: 2,
      durationMs: 1200,
      expectations: ["events.lost==0", "calls.failed==0", "delivery.p99<1m"],
    });
    assert.equal(outcome.exitCode, exitCodes.ok, outcome.io.outLines.join("\n"));
    assertComplete(outcome, 4);
    const { calls, publications, verdict, usage, nodes } = outcome.snapshot;
    assert.equal(calls.sent, publications.sent * 2);
    assert.equal(verdict?.expectations.every(({ passed }) => passed), true);
    assert.ok(usage.cpuUserSeconds > 0);
    assert.deepEqual(nodes, { node1: 4 });
    assert.ok(outcome.io.noteLines.some((line) => /^LOAD: .* ctx$/.test(line)));
    assert.ok(
      outcome.io.noteLines.some((line) => /EVENTs received .*B\/s; .* published/.test(line)),
    );
    stop.abort();
    assert.equal(await backend, exitCodes.ok);
    assert.match(backendIo.outLines.join("\n"), new RegExp(`^${calls.sent} INVOCATIONs received`));
  });
}, 20_000);

test("wamp probe --publishers lets that many sessions publish, and all subscribe", async () => {
  await withRouter(async ({ ws, rs }) => {
    const outcome = await probe({
      urls: [ws, rs],
      clients: 3,
      connections: 2,
      publishers: 4,
      loops: 2,
      stride: 3,
      expectations: ["events.lost==0"],
    });
    assert.equal(outcome.exitCode, exitCodes.ok, outcome.io.outLines.join("\n"));
    assertComplete(outcome, 12);
    const { sessions, publishers, publisherRows, requestedRate } = outcome.snapshot;
    assert.deepEqual([sessions.opened, publishers, requestedRate], [12, 8, 8 * 10 * 3]);
    assert.deepEqual(
      publisherRows.map(({ name }) => name),
      ["0.0.0", "0.0.1", "0.1.0", "0.1.1", "1.0.0", "1.0.1", "2.0.0", "2.0.1"]
        .map((numbers) => `client0.${numbers}`),
    );
    for (const { published } of publisherRows) assert.ok(published > 0);
  });
});

test("wamp probe --publishers wants no more publishers than there are sessions", async () => {
  await assert.rejects(
    probe({ urls: ["ws://127.0.0.1:1/ws"], clients: 2, publishers: 9 }),
    /--publishers 9 is more than the 8 sessions that there are/,
  );
});

test("wamp probe counts calls that nobody answers as failed", async () => {
  await withRouter(async ({ ws }) => {
    const { snapshot, exitCode } = await probe({
      urls: [ws],
      calls: true,
      nodes: 1,
      expectations: ["calls.failed==0"],
    });
    assert.equal(exitCode, exitCodes.expectationFailed);
    assert.ok(snapshot.calls.sent > 0);
    assert.equal(snapshot.calls.refused, snapshot.calls.sent);
    assert.deepEqual(snapshot.errors, {
      "wamp.error.no_such_procedure": snapshot.calls.sent,
    });
  });
});

test("wamp probe ends with 4 where no session can be opened", async () => {
  const { exitCode, snapshot } = await probe({ urls: ["ws://127.0.0.1:1/ws"] });
  assert.equal(exitCode, exitCodes.targetUnreachable);
  assert.match(snapshot.verdict!.reasons[0]!, /None of 4 sessions could be opened \(.*refused/i);
  await withRouter(async ({ ws }) => {
    const outcome = await probe({ urls: [ws], realm: "nowhere" });
    assert.equal(outcome.exitCode, exitCodes.targetUnreachable);
    assert.match(outcome.snapshot.verdict!.reasons[0]!, /no_such_realm/);
  });
});

test("wamp probe that is interrupted reports what it has", async () => {
  await withRouter(async ({ ws }) => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 500);
    const { exitCode, snapshot } = await probe({ urls: [ws], durationMs: 60_000 }, stop.signal);
    assert.equal(exitCode, exitCodes.interrupted);
    assert.ok(snapshot.publications.sent > 0);
    assert.equal(snapshot.interrupted, true);
  });
});
