import { test } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import { HostLimitError } from "../../../lib/errors.ts";
import type { NetworkSnapshotJson } from "../../../lib/p2p/local/network_json.ts";
import { CollectedIo } from "../../cli/collected_io.ts";
import { childrenOf } from "../../workers/alive.ts";
import { freePorts } from "../../../lib/p2p/local/free_ports.ts";
import { assertClosed, runLocal } from "./local_run.ts";

const lenient = { maxLatenessMs: 10_000 };

test("run() has every message arrive everywhere, once", async () => {
  using outcome = await runLocal({
    ...{ numNodes: 3, heartbeatMs: 10, durationMs: 1500, ...lenient },
    expectations: [
      ...["delivered==100%", "duplicates==0", "lost==0", "unknown==0", "sent>=200"],
      ...["delivery.p99<10s", "reach-100.max<10s", "mesh<60s"],
    ],
  });
  const { exitCode, out, result, file } = outcome;
  assert.equal(exitCode, 0, out);
  assertClosed(result);
  const { deliveries, broadcast, reach, nodes, histograms } = result;
  assert.equal(deliveries.sent, broadcast.due);
  assert.equal(deliveries.sent, 450);
  assert.equal(deliveries.delivered, deliveries.sent * 2);
  assert.equal(histograms.delivery.count + histograms.negativeDelivery.count, deliveries.delivered);
  assert.deepEqual(
    reach.map(({ share, reached }) => [share, reached]),
    [0.5, 0.99, 1].map((share) => [share, deliveries.sent]),
  );
  assert.ok(
    nodes.every(({ state, peers, starts }) => state === "done" && peers <= 2 && starts === 1),
  );
  // What the nodes have counted themselves says the same.
  for (const { id, sent, delivered, outOfOrder, delivery } of nodes) {
    const node = JSON.parse(file(`node-${id}.json`)!);
    const senders: { received: number; outOfOrder: number }[] = node.senders;
    assert.equal(node.broadcast.sent, sent);
    assert.equal(senders.reduce((sum, sender) => sum + sender.received, 0), delivered);
    assert.equal(senders.reduce((sum, sender) => sum + sender.outOfOrder, 0), outOfOrder);
    const { count, minNs, p99Ns, maxNs } = node.histograms.delivery;
    assert.deepEqual([delivery.count, delivery.minNs, delivery.p99Ns, delivery.maxNs], [
      ...[count, minNs, p99Ns, maxNs],
    ]);
    assert.match(file(`node-${id}.log`)!, /listens on \/ip4\/127\.0\.0\.1\/tcp\/\d+/);
  }
  assert.equal(file("summary.txt"), `${out}\n`);
  assert.deepEqual(JSON.parse(file("network.json")!), result);
  assert.match(out, /^verdict +ok$/m);
  assert.deepEqual(childrenOf(process.pid), []);
}, 60_000);

test("run() counts the messages of the warm-up, and does not time them", async () => {
  // It ends between two messages: the hundredth is due at 990 ms, and the next at 1000.
  using outcome = await runLocal({
    ...{ numNodes: 3, heartbeatMs: 10, warmupMs: 995, durationMs: 1000, ...lenient },
    expectations: ["delivered==100%", "delivery.p99<10s", "lateness.max<10s"],
  });
  const { exitCode, out, result, file } = outcome;
  assert.equal(exitCode, 0, out);
  assertClosed(result);
  const { broadcast, deliveries, reach, histograms, nodes } = result;
  assert.deepEqual([result.warmupMs, result.plannedMs], [995, 1995]);
  assert.deepEqual([broadcast.due, deliveries.sent, deliveries.delivered], [600, 600, 1200]);
  assert.ok(reach.every(({ reached }) => reached === 600));
  assert.equal(histograms.delivery.count + histograms.negativeDelivery.count, 600);
  for (const name of ["lateness", "sendDelay"] as const) assert.equal(histograms[name].count, 300);
  for (const { id, delivered, delivery } of nodes) {
    assert.equal(delivered, 400);
    const node = JSON.parse(file(`node-${id}.json`)!);
    assert.equal(node.histograms.delivery.count, delivery.count);
    // CPU is of the time after it, to the end of the drain.
    assert.ok(node.running.seconds > 0.9 && node.running.seconds < result.runningMs / 1000, out);
  }
  assert.match(out, /^time +\d\.\d s of broadcasting after (995 ms|1\.0 s) of warm-up in /m);
}, 60_000);

test("run() says what a node missed that was killed and started again", async () => {
  using outcome = await runLocal({
    ...{ numNodes: 3, heartbeatMs: 20, durationMs: 4500, ...lenient },
    ...{ killedNodes: [1], killAtMs: 800, restartAfterMs: 500 },
    expectations: ["lost.missed==0"],
  });
  const { exitCode, out, notes, result, file } = outcome;
  assert.equal(exitCode, 0, out);
  assertClosed(result);
  const { outages: [outage, ...others], nodes, deliveries } = result;
  assert.ok(outage !== undefined && others.length === 0);
  const { node, isPlanned, reason, downAtMs, startedAtMs, backAtMs, firstMessageAtMs } = outage;
  assert.deepEqual({ node, isPlanned, reason }, { node: 1, isPlanned: true, reason: "SIGKILL" });
  assert.ok(downAtMs >= 795 && startedAtMs >= downAtMs + 495, out);
  assert.ok(backAtMs > startedAtMs && firstMessageAtMs > startedAtMs, out);
  assert.ok(outage.missed > 20, out);
  assert.ok(outage.mostInFlight >= outage.missed, out);
  assert.equal(outage.missed, deliveries.missedWhileDown);
  assert.equal(outage.unknown, deliveries.unknown);
  assert.deepEqual(nodes.map(({ starts }) => starts), [1, 2, 1]);
  assert.match(
    out,
    /Node 1 \(pid \d+\) was killed after \d\.\d s, started again after \d\.\d s and was/,
  );
  assert.match(
    notes,
    /node 1 \(pid \d+\) was killed after \d\.\d s, and is started again 0\.5 s later/,
  );
  assert.match(file("node-1.log")!, /was killed, as planned\n.* listens on/s);
  assert.ok(file("node-1-1.json") !== undefined);
}, 60_000);

/** Does something when a line is noted. */
class ListeningIo extends CollectedIo {
  constructor(private readonly heard: (line: string) => void) {
    super();
  }

  override note(line: string): void {
    super.note(line);
    this.heard(line);
  }
}

test("run() goes on without a node that ends, and reports when it is interrupted", async () => {
  const interruption = new AbortController();
  let killed = NaN;
  const io = new ListeningIo((line) => {
    if (Number.isNaN(killed) && / running .* p50 /.test(line)) {
      killed = childrenOf(process.pid)[0]!;
      process.kill(killed, "SIGKILL");
    } else if (/ended after/.test(line)) {
      setTimeout(() => interruption.abort(), 500);
    }
  });
  using outcome = await runLocal(
    { numNodes: 3, heartbeatMs: 20, durationMs: 60_000, ...lenient },
    AbortSignal.any([interruption.signal, AbortSignal.timeout(40_000)]),
    io,
  );
  const { exitCode, out, notes, result } = outcome;
  assert.equal(exitCode, 130);
  assertClosed(result);
  assert.equal(result.interrupted, true);
  assert.equal(result.verdict?.kind, "invalid");
  const lost = result.nodes.find(({ state }) => state === "lost")!;
  assert.equal(lost.pid, killed);
  assert.equal(result.outages.length, 1);
  assert.equal(result.deliveries.missed, 0, out);
  assert.match(
    notes,
    new RegExp(`node ${lost.id} \\(pid ${killed}\\) ended after .* SIGKILL; the`),
  );
  assert.match(out, new RegExp(`Node ${lost.id} of 3 \\(pid ${killed}\\) ended after .*: SIGKILL`));
  assert.match(out, /interrupted/);
  assert.deepEqual(childrenOf(process.pid), []);
}, 60_000);

test("run() puts protocols side by side", async () => {
  using outcome = await runLocal({
    ...{ numNodes: 2, mode: "one", heartbeatMs: 10, durationMs: 500, messageBytes: 2 ** 16 },
    ...{ compared: ["sqmr", "reversed-sqmr"], ...lenient },
  });
  const { exitCode, out, result, file } = outcome;
  assert.equal(exitCode, 0, out);
  const { role, runs } = result as unknown as { role: string; runs: NetworkSnapshotJson[] };
  assert.equal(role, "p2p-comparison");
  assert.deepEqual(runs.map(({ protocol }) => protocol), ["sqmr", "reversed-sqmr"]);
  for (const each of runs) {
    assertClosed(each);
    assert.equal(each.deliveries.delivered, each.deliveries.sent);
    assert.ok(each.deliveries.sent > 20, `${each.deliveries.sent} sent`);
  }
  assert.match(out, /^ +sqmr +reversed-sqmr$/m);
  assert.match(out, /^ {2}made +100 % +100 %$/m);
  assert.ok(
    file("sqmr/node-0.json") !== undefined && file("reversed-sqmr/summary.txt") !== undefined,
  );
}, 60_000);

test("run() ends all where one cannot start, and says why", async () => {
  const [port] = freePorts(1, "127.0.0.1");
  using _ = Bun.listen({ hostname: "127.0.0.1", port: port! + 1, socket: { data() {} } });
  await assert.rejects(runLocal({ numNodes: 2, firstPort: port! }), (error) => {
    assert.ok(error instanceof HostLimitError);
    assert.match(error.message, /^node 1 did not start: .*port/);
    return true;
  });
  await assert.rejects(runLocal({ numNodes: 2, firstMetricPort: port! }), (error) => {
    assert.ok(error instanceof HostLimitError);
    assert.match(error.message, /^node 1 did not start: .* in use; .*--metric-port$/);
    return true;
  });
  assert.deepEqual(childrenOf(process.pid), []);
}, 30_000);
