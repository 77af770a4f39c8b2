import { dieWithParent } from "../../host/libc.ts";
import { serveStats } from "../../report/http.ts";
import type { WorkerChannel } from "../../workers/worker_channel.ts";
import { nodeView } from "../metrics/node_view.ts";
import { SystemMonitor } from "../metrics/system_monitor.ts";
import type { RunningNode } from "../node/running_node.ts";
import { startNode } from "../node/start_node.ts";
import { type NodeJob, type NodeReport, packNodeSnapshot } from "./node_report.ts";
import { RecordBatch } from "./record_batch.ts";

const recordsEveryMs = 100;
const snapshotEveryMs = 1_000;

/**
 * Is one node of a local network. The parent's `begin` carries instants of the real-time clock, in
 * nanoseconds since the origin of the job; `finish` ends the plan, and `stop` the node.
 *
 * @throws {HoldfastError} the node cannot begin.
 */
export async function work(details: unknown, channel: WorkerChannel<NodeReport>): Promise<void> {
  // Also one that hangs, and would not notice that the channel is closed, must not be left behind.
  dieWithParent();
  const { settings, metrics } = details as NodeJob;
  const { nodeId } = settings;
  const batch = new RecordBatch();
  const node = await startNode(
    { ...settings, note: (line) => channel.send({ type: "note", line }) },
    {
      sent: (index, intendedNs) => batch.sent(nodeId, index, intendedNs),
      received: (sender, index, intendedNs, arrivedNs) =>
        batch.received(sender, index, intendedNs, arrivedNs),
      duplicated: () => batch.duplicated(),
    },
  );

  if (metrics !== undefined) await serveMetrics(node, metrics);

  let isFinished = false;
  const reportNow = (withSnapshot: boolean): NodeReport => ({
    records: batch.take(),
    isConnected: node.isConnected(),
    isFinished,
    snapshot: withSnapshot ? packNodeSnapshot(node.snapshot()) : undefined,
  });
  const finished = () => {
    isFinished = true;
    channel.send({ type: "report", report: reportNow(true) });
  };
  const stopped = Promise.withResolvers<void>();
  channel.receive((message) => {
    switch (message.type) {
      case "begin":
        return node.begin(message.atNs, message.untilNs, message.measuredFromNs);
      case "finish":
        return void node.finish().then(finished, stopped.reject);
      case "stop":
        return stopped.resolve();
    }
  });
  void node.planned.then(finished, stopped.reject);
  channel.send({ type: "ready", report: reportNow(true) });
  let snapshotAtMs = performance.now();
  const reports = setInterval(() => {
    const isDue = performance.now() - snapshotAtMs >= snapshotEveryMs;
    if (isDue) snapshotAtMs = performance.now();
    channel.send({ type: "report", report: reportNow(isDue) });
  }, recordsEveryMs);
  try {
    await stopped.promise;
  } finally {
    clearInterval(reports);
  }
  await node.stop();
  channel.send({ type: "done", report: reportNow(true) });
}

/**
 * Until the process ends.
 *
 * @throws {HostLimitError} the port is taken.
 */
async function serveMetrics(
  node: RunningNode,
  address: { readonly hostname: string; readonly port: number },
): Promise<void> {
  try {
    serveStats({
      ...address,
      isExact: true,
      option: "--metric-port",
      view: nodeView(node, new SystemMonitor()),
    });
  } catch (error) {
    await node.stop();
    throw error;
  }
}
