import { Exposition, type Labels, type Sample } from "../../report/exposition.ts";
import { broadcastDropReasons } from "../snapshot.ts";
import { networkPhases, type NetworkSnapshot, type NodeReportRow, nodeStates } from "./snapshot.ts";

/**
 * A network of this host in the text format of Prometheus; every name begins with
 * `holdfast_p2p_network_`. The metrics that a node alone has are on its own `/metrics`.
 */
export function networkExposition(snapshot: NetworkSnapshot): string {
  const text = new Exposition("holdfast_p2p_network_");
  const { protocol, mode, deliveries, broadcast, reach, histograms, nodes, outages } = snapshot;
  const { version, startedAt, labels } = snapshot.run;
  const own = Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [
      `label_${key.replaceAll(/[^a-zA-Z0-9_]/g, "_")}`,
      value,
    ]),
  );
  text.gauge("info", "What runs; always 1", one(1, { version, protocol, mode, ...own }));
  text.gauge("start_time_seconds", "Start since the epoch", one(Date.parse(startedAt) / 1000));
  text.gauge("elapsed_seconds", "Time since the start", one(snapshot.elapsedMs / 1000));
  text.gauge("running_seconds", "How much of the plan is over", one(snapshot.runningMs / 1000));
  text.gauge(
    "warmup_seconds",
    "Begin of the plan whose messages are counted and not timed",
    one(snapshot.warmupMs / 1000),
  );
  text.gauge(
    "phase",
    "1 for the phase that the run is in",
    networkPhases.map((phase) => [{ phase }, phase === snapshot.phase ? 1 : 0]),
  );
  text.gauge("nodes", "Nodes of the network", one(snapshot.numNodes));
  text.gauge(
    "full_mesh_seconds",
    "From the first start until all were connected to all",
    one(snapshot.fullMeshAfterMs / 1000),
  );
  text.gauge("message_bytes", "Size of a message", one(snapshot.messageBytes));
  text.gauge("heartbeat_seconds", "Between two messages", one(snapshot.heartbeatMs / 1000));
  text.total("messages_due", "Messages that the plan called for", one(broadcast.due));
  text.total("messages_sent", "Messages that were broadcast", one(deliveries.sent));
  text.total(
    "messages_dropped",
    "Messages due and not broadcast",
    broadcastDropReasons.map((drop_reason) => [{ drop_reason }, broadcast.dropped[drop_reason]]),
  );
  text.gauge("messages_queued", "Messages due that wait", one(broadcast.queued));
  text.total("deliveries_expected", "Deliveries called for", one(deliveries.expected));
  text.total("deliveries", "Deliveries made", one(deliveries.delivered));
  text.total("deliveries_lost", "Deliveries that never came", [
    [{ receiver: "up" }, deliveries.missed],
    [{ receiver: "down" }, deliveries.missedWhileDown],
  ]);
  text.total(
    "deliveries_unknown",
    "Deliveries that a node took its knowledge of with it",
    one(deliveries.unknown),
  );
  text.gauge("deliveries_pending", "Deliveries that are outstanding", one(deliveries.inFlight));
  text.total(
    "duplicates",
    "Further copies, without those that gossipsub removed",
    one(deliveries.duplicated),
  );
  text.total(
    "overflowed",
    "Messages dropped as more came in at once than --buffer-size allows",
    one(snapshot.overflowed),
  );
  text.total("removed_copies", "Those that gossipsub removed", one(snapshot.removedCopies));
  text.total("out_of_order", "Overtaken by a later message", one(deliveries.outOfOrder));
  text.times("delivery", "From when a message was due to its arrival", histograms.delivery);
  if (reach.length > 0) {
    text.total(
      "reach",
      "Messages that a share of the other nodes had",
      reach.map(({ share, reached }): Sample => [{ percent: String(share * 100) }, reached]),
    );
    text.times("reach_50", "Until half of the other nodes had a message", histograms.reach50);
    text.times("reach_99", "Until 99 % of the other nodes had a message", histograms.reach99);
    text.times("reach_100", "Until all other nodes had a message", histograms.reach100);
  }
  text.times("lateness", "Of the broadcasters themselves", histograms.lateness);
  text.total("outages", "Times in which a node was down", [
    [{ planned: "true" }, outages.filter(({ isPlanned }) => isPlanned).length],
    [{ planned: "false" }, outages.filter(({ isPlanned }) => !isPlanned).length],
  ]);
  each(text, nodes);
  return text.toString();
}

function each(text: Exposition, nodes: readonly NodeReportRow[]): void {
  const of = (value: (node: NodeReportRow) => number): Sample[] =>
    nodes.map((node) => [{ node: String(node.id) }, value(node)]);
  text.gauge(
    "node_state",
    "1 for the state that a node is in",
    nodes.flatMap(({ id, state: now }) =>
      nodeStates.map((state): Sample => [{ node: String(id), state }, state === now ? 1 : 0])
    ),
  );
  text.gauge("node_peers", "Peers that a node is connected to", of(({ peers }) => peers));
  text.total("node_starts", "Processes that a node has had", of(({ starts }) => starts));
  text.total("node_messages_sent", "Messages broadcast", of(({ sent }) => sent));
  text.total("node_deliveries", "Messages received", of(({ delivered }) => delivered));
  text.gauge("node_deliveries_pending", "Deliveries outstanding", of(({ pending }) => pending));
  text.gauge("node_cpu_share", "Cores used while the plan went on", of((node) => node.cpuShare));
  text.gauge("node_resident_memory_bytes", "Resident memory", of(({ rssBytes }) => rssBytes));
}

function one(value: number, labels: Labels = {}): Sample[] {
  return [[labels, value]];
}
