import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import { clientRows, type ClientSettings } from "../../lib/client/options.ts";
import { WorkersMeasurement } from "../../lib/client/workers_measurement.ts";
import { commandLineOf } from "../../lib/options/command_line.ts";
import { identityOf } from "../../lib/report/run_identity.ts";
import { nowNs } from "../../lib/stats/clock.ts";
import { addHistograms, emptyHistograms } from "../../lib/stats/client_histograms.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { parseEndpoint } from "../../lib/transport/endpoint.ts";
import { assertBalanced } from "../load/books.ts";
import { ChildServer } from "../server/running_server.ts";
import { childrenOf } from "../workers/alive.ts";

const server = await ChildServer.start(["tcp://127.0.0.1:0"]);
afterAll(() => server.stop());

/** A measurement by two workers, and the seconds that it tells of. */
async function measure(changes: Partial<ClientSettings>) {
  const commandLine = commandLineOf(clientRows, [], { connections: 6, workers: 2, ...changes });
  const seconds: { startNs: number; endNs: number; snapshot: ClientSnapshot }[] = [];
  const sum = emptyHistograms();
  const others = childrenOf(process.pid);
  const measurement = await WorkersMeasurement.create({
    endpoint: parseEndpoint(`tcp://127.0.0.1:${server.portOf("tcp")}`),
    settings: commandLine.settings,
    scheduleText: undefined,
    sources: undefined,
    run: identityOf(commandLine),
    workers: 2,
    note: (line) => assert.fail(line),
    second(interval, startNs, endNs, snapshot) {
      addHistograms(sum, interval);
      seconds.push({ startNs, endNs, snapshot });
    },
  });
  const workers = childrenOf(process.pid).filter((pid) => !others.includes(pid));
  assert.equal(workers.length, 2);
  return { measurement, seconds, sum, workers };
}

test("seconds follow each other without a gap, and hold all that is in the totals", async () => {
  const { measurement, seconds, sum } = await measure({ intervalMs: 10, durationMs: 2300 });
  const before = measurement.snapshot();
  assert.deepEqual([before.phase, before.connections.attempted], ["ramp", 0]);
  await measurement.run(new AbortController().signal);
  const { histograms, steady, elapsedMs } = measurement.snapshot();
  assert.ok(seconds.length >= 3 && seconds.length <= 6, `${seconds.length}`);
  for (const [index, { startNs, endNs, snapshot }] of seconds.entries()) {
    assert.equal(startNs, seconds[index - 1]?.endNs ?? 0);
    assert.ok(endNs > startNs && endNs / 1e6 < elapsedMs + 2000);
    assertBalanced(snapshot.messages);
    assertBalanced(snapshot.steady);
  }
  assert.equal(histograms.response.count, steady.answered);
  for (const key of ["response", "service", "connect", "scheduleError", "lateness"] as const) {
    assert.equal(sum[key].encode(), histograms[key].encode(), key);
    assert.equal(sum[key].sumNs, histograms[key].sumNs, key);
  }
  assert.deepEqual(seconds.at(-1)!.snapshot.messages, measurement.snapshot().messages);
}, 20_000);

test("finish() ends the load of every worker in order", async () => {
  const { measurement, seconds, workers } = await measure({ intervalMs: 20, durationMs: 60_000 });
  const timer = setTimeout(() => measurement.finish(), 1000);
  const startNs = nowNs() + 50e6;
  await measurement.run(new AbortController().signal, startNs);
  clearTimeout(timer);
  const { phase, interrupted, messages, steadyMs, elapsedMs } = measurement.snapshot();
  assert.deepEqual([phase, interrupted], ["done", false]);
  assert.ok(messages.answered > 20 && messages.answered === messages.sent);
  assert.ok(steadyMs > 0 && steadyMs < 10_000 && elapsedMs < 10_000);
  assert.ok(seconds.length > 0);
  assert.ok(!childrenOf(process.pid).some((pid) => workers.includes(pid)));
}, 20_000);

test("run() with a signal that is aborted already ends at once", async () => {
  const { measurement } = await measure({ intervalMs: 20, durationMs: 60_000 });
  await measurement.run(AbortSignal.abort());
  const { phase, interrupted, messages } = measurement.snapshot();
  assert.deepEqual([phase, interrupted, messages.due], ["done", true, 0]);
}, 20_000);

test("close() ends workers that did not run", async () => {
  const { measurement, workers } = await measure({});
  measurement.close();
  const deadlineMs = performance.now() + 10_000;
  while (childrenOf(process.pid).some((pid) => workers.includes(pid))) {
    assert.ok(performance.now() < deadlineMs);
    await Bun.sleep(10);
  }
}, 20_000);
