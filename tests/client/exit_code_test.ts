import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import type { ClientSettings } from "../../lib/client/options.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import type { ClientOutcome } from "../cli/client_process.ts";
import { lostOf } from "../load/books.ts";
import { expectUndisturbed, undisturbed } from "../load/disturbance.ts";
import { ChildServer } from "../server/running_server.ts";
import { LocalClient, runHere } from "./local_client.ts";

const server = await ChildServer.start(["tcp://127.0.0.1:0"]);
afterAll(() => server.stop());
const tcp = `tcp://127.0.0.1:${server.portOf("tcp")}`;

/** Repeats a run in which this machine was too busy for any other verdict than `invalid`. */
function judged(
  settings: Partial<ClientSettings>,
  check: (outcome: ClientOutcome & { snapshot: ClientSnapshot }) => void,
): Promise<void> {
  return undisturbed(4, async () => {
    const outcome = await runHere(tcp, { ratePerSecond: 500, durationMs: 300, ...settings });
    const { exitCode, snapshot, err, out } = outcome;
    assert.equal(err, "");
    expectUndisturbed(exitCode !== 3, out);
    assert.ok(snapshot !== undefined);
    check({ ...outcome, snapshot });
  });
}

test("run() ends with 0 when every expectation holds", async () => {
  const expectations = [
    "response.p99<60s",
    "lost==0",
    "lost<=0%",
    "answered>0",
    "connections.open==1",
  ];
  await judged({ expectations }, ({ exitCode, snapshot, out }) => {
    assert.equal(exitCode, 0, out);
    assert.equal(snapshot.verdict?.kind, "ok");
    assert.deepEqual(snapshot.verdict.expectations.map(({ passed }) => passed), [
      ...[true, true, true, true, true],
    ]);
    assert.match(out, /^expectations +pass +response\.p99<60s /m);
  });
}, 30_000);

test("run() ends with 1 when one expectation does not hold", async () => {
  const expectations = ["response.p99<60s", "response.min>59s"];
  await judged({ expectations }, ({ exitCode, snapshot, out }) => {
    assert.equal(exitCode, 1, out);
    assert.equal(snapshot.verdict?.kind, "expectation-failed");
    assert.deepEqual(snapshot.verdict.expectations.map(({ passed }) => passed), [true, false]);
    assert.match(out, /^ +FAIL +response\.min>59s /m);
    assert.match(snapshot.verdict.reasons.join(), /1 of 2 expectations failed/);
  });
}, 30_000);

test("run() ends with 3 when the generator cannot keep its plan", async () => {
  const { exitCode, snapshot, out } = await runHere(tcp, {
    connections: 2,
    ratePerSecond: 50_000_000,
    durationMs: 500,
    drainMs: 500,
    // A run that measured something else than it should passes nothing.
    expectations: ["connections.open==2"],
  });
  assert.equal(exitCode, 3, out);
  const { steady, verdict, requestedRate, achievedRate, generator } = snapshot!;
  assert.ok(!(generator.steadyCpuWaitShare > 1), "the evidence is about the time that it took");
  assert.equal(verdict?.kind, "invalid");
  assert.match(verdict.reasons.join(" "), /did not keep its plan: [\d,]+\/s requested/);
  assert.ok(Math.abs(steady.due / 25e6 - 1) < 0.01, `${steady.due} due`);
  assert.ok(Math.abs(requestedRate / 50e6 - 1) < 0.01);
  assert.ok(achievedRate < requestedRate / 5);
  assert.ok(steady.unsent.generatorLate + steady.unsent.heldBack > steady.due / 2);
}, 60_000);

test("run() ends with 3 when the generator is later than allowed", async () => {
  const { exitCode, snapshot } = await runHere(tcp, {
    ratePerSecond: 500,
    durationMs: 300,
    maxScheduleErrorMs: 1e-6,
  });
  assert.equal(exitCode, 3);
  assert.match(snapshot!.verdict!.reasons[0]!, /^The generator was late/);
  assert.equal(snapshot!.messages.answered, snapshot!.messages.sent);
}, 30_000);

test("run() ends with 4 when nobody listens", async () => {
  for (const scheme of ["tcp", "udp", "ws"] as const) {
    const { exitCode, snapshot, err } = await runHere(`${scheme}://127.0.0.1:1`, {
      connections: 3,
      ratePerSecond: 100,
      durationMs: 300,
      timeoutMs: 300,
    });
    assert.equal(exitCode, 4);
    assert.match(err, /^holdfast: [^\n]* 3 refused \(ECONNREFUSED[^\n]*\n$/);
    assert.equal(snapshot!.verdict?.kind, "stopped-by-limit");
    assert.deepEqual(snapshot!.connections.failures.map(({ kind, count }) => [kind, count]), [
      ["refused", 3],
    ]);
    assert.ok(snapshot!.connections.failures[0]!.firstAtMs >= 0);
  }
});

test("run() ends with 130 and a full report when it is interrupted", async () => {
  const client = new LocalClient(tcp, {
    connections: 20,
    ratePerSecond: 2000,
    durationMs: 60_000,
    expectations: ["answered>1000000"],
  });
  const { bytesReceived } = (await server.snapshot()).total;
  await server.snapshotWith(
    "it sends",
    ({ total }) => total.bytesReceived > bytesReceived + 64 * 500,
  );
  client.interrupt();
  client.interrupt();
  const { exitCode, snapshot, out, err } = await client.ended;
  assert.deepEqual([exitCode, err], [130, ""]);
  const { messages, steadyMs, connections, phase, interrupted } = snapshot!;
  assert.deepEqual([phase, interrupted], ["done", true]);
  assert.ok(messages.answered > 100 && steadyMs < 30_000);
  assert.equal(messages.sent, messages.answered + lostOf(messages));
  assert.equal(connections.open, 20);
  assert.match(out, /^time .*, interrupted$/m);
  assert.match(out, /^response time +\d/m);
  assert.match(out, /^verdict /m);
}, 60_000);

test("run() that is interrupted before it begins ends at once", async () => {
  const client = new LocalClient(tcp, {
    connections: 1000,
    connectRatePerSecond: 1,
    durationMs: 1e6,
  });
  client.interrupt();
  const { exitCode, snapshot } = await client.ended;
  assert.equal(exitCode, 130);
  assert.deepEqual([snapshot!.interrupted, snapshot!.messages.due], [true, 0]);
}, 30_000);
