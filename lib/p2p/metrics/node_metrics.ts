import { Exposition } from "../../report/exposition.ts";
import { throughputOf } from "../explore_plan.ts";
import { dropReasons, networkEventTypes } from "../network/network.ts";
import {
  type NodeHistograms,
  nodePhases,
  type NodeSnapshot,
  refusalReasons,
  sumOverSenders,
  totalRefused,
} from "../snapshot.ts";
import { durations } from "./duration_metrics.ts";
import { clocks, senders } from "./peer_metrics.ts";
import { one } from "./samples.ts";
import { system } from "./system_metrics.ts";
import type { SystemFigures } from "./system_monitor.ts";

/** All that `/metrics` of a node shows. */
export interface NodeFigures {
  readonly snapshot: NodeSnapshot;
  /** What was recorded in the last minute. */
  readonly windows: NodeHistograms;
  readonly system: SystemFigures;
}

/**
 * A node in the text format of Prometheus, under the names of Apollo's broadcast benchmark, so that
 * the same dashboards show both; and what is known beyond that. Every label value is there from the
 * start. Times are in seconds; what is not known is NaN.
 */
export function nodeMetricsText(figures: NodeFigures): string {
  const text = new Exposition();
  const { snapshot } = figures;
  broadcasts(text, snapshot);
  receptions(text, snapshot);
  network(text, snapshot);
  durations(text, snapshot.histograms, figures.windows);
  senders(text, snapshot);
  clocks(text, snapshot);
  system(text, figures.system);
  about(text, snapshot);
  return text.toString();
}

function broadcasts(text: Exposition, { broadcast, ...snapshot }: NodeSnapshot): void {
  const throughput = throughputOf(snapshot);
  text.gauge(
    "broadcast_message_theoretical_heartbeat_millis",
    "Milliseconds between two broadcasts of a node, as planned",
    one(snapshot.heartbeatMs),
  );
  text.gauge(
    "broadcast_message_theoretical_throughput",
    "Bytes per second that a broadcasting node sends, as planned",
    one(throughput),
  );
  text.gauge(
    "broadcast_message_throughput",
    "The same as broadcast_message_theoretical_throughput",
    one(throughput),
  );
  text.gauge(
    "broadcast_message_bytes",
    "Size of the messages that are broadcast, header included",
    one(snapshot.messageBytes),
  );
  text.counter(
    "broadcast_message_count",
    "Messages of this node that were handed to the sockets of its peers",
    one(broadcast.sent),
  );
  text.counter(
    "broadcast_message_bytes_sum",
    "Bytes of those messages, headers included",
    one(broadcast.bytes),
  );
  text.counter(
    "network_stress_test_sent_messages",
    "The same as broadcast_message_count",
    one(broadcast.sent),
  );
  text.counter(
    "network_dropped_broadcast_messages",
    "Messages that the network did not take or did not send, by reason",
    dropReasons.map((reason) => [{ drop_reason: reason }, broadcast.dropped[reason]]),
  );
  text.counter(
    "broadcast_message_due_total",
    "Messages that the plan called for: sent, queued, dropped by the network or not sent",
    one(broadcast.due),
  );
  text.gauge("broadcast_message_queued", "Messages due and not sent yet", one(broadcast.queued));
  text.counter(
    "broadcast_message_unsent_total",
    "Messages due that the node itself did not send, by reason",
    [
      [{ reason: "late" }, broadcast.dropped.late],
      [{ reason: "network_reset" }, broadcast.dropped.network_reset],
    ],
  );
}

function receptions(text: Exposition, snapshot: NodeSnapshot): void {
  const { received } = snapshot;
  text.gauge(
    "receive_message_bytes",
    "Size of the last message received, header included; 0 before the first",
    one(received.lastBytes),
  );
  text.gauge(
    "receive_message_pending_count",
    "Messages missing in the ranges of indices seen, over all senders",
    one(sumOverSenders(snapshot.senders, "pending")),
  );
  text.counter(
    "receive_message_count",
    "Well-formed messages of other nodes received, duplicates included",
    one(received.messages),
  );
  text.counter(
    "receive_message_bytes_sum",
    "Bytes of those messages, headers included",
    one(received.bytes),
  );
  text.counter(
    "network_stress_test_received_messages",
    "Everything that the network handed over as a message, refused or not",
    one(received.messages + totalRefused(received)),
  );
  text.counter(
    "receive_message_refused_total",
    "What was handed over and is no message of the benchmark, by reason",
    refusalReasons.map((reason) => [{ reason }, received.refused[reason]]),
  );
  text.counter(
    "network_invalid_messages_total",
    "What the network itself refused: malformed, or not signed by its author",
    one(received.invalid),
  );
  text.counter(
    "network_overflowed_messages_total",
    "Messages of peers that were dropped, as more came in at once than --buffer-size allows",
    one(received.overflowed),
  );
  text.counter(
    "network_removed_copies_total",
    "Further copies of messages that gossipsub removed, in none of the other counters",
    one(received.removedCopies),
  );
}

function network(text: Exposition, { peers, events, resets }: NodeSnapshot): void {
  text.gauge("network_connected_peers", "Peers connected now", one(peers.connected));
  text.gauge(
    "network_reachable_peers",
    "Of those, the peers that a message broadcast now would go to",
    one(peers.reachable),
  );
  text.gauge("network_blacklisted_peers", "Peers that are refused", one(peers.blacklisted));
  text.gauge(
    "network_active_inbound_sessions",
    "Open streams of the benchmark that peers opened",
    one(peers.sessionsIn),
  );
  text.gauge(
    "network_active_outbound_sessions",
    "Open streams of the benchmark that this node opened",
    one(peers.sessionsOut),
  );
  text.counter("network_reset_total", "Times that the network state was dropped", one(resets));
  text.counter(
    "network_event_counter",
    "Events of the network, by type",
    networkEventTypes.map((type) => [{ event_type: type }, events[type]]),
  );
}

function about(text: Exposition, snapshot: NodeSnapshot): void {
  const { run, nodeId, numNodes, protocol, mode, peerId } = snapshot;
  text.gauge("holdfast_p2p_info", "What runs; always 1", [[{
    version: run.version,
    node: String(nodeId),
    nodes: String(numNodes),
    network_protocol: protocol,
    mode,
    peer_id: peerId,
  }, 1]]);
  text.gauge(
    "holdfast_p2p_phase",
    "1 for the phase that the node is in",
    nodePhases.map((phase) => [{ phase }, phase === snapshot.phase ? 1 : 0]),
  );
  text.gauge(
    "holdfast_p2p_elapsed_seconds",
    "Time since the start of the node",
    one(snapshot.elapsedMs / 1000),
  );
}
