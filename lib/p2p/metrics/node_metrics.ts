import { Exposition, type Labels, type Sample } from "../../report/exposition.ts";
import type { Histogram } from "../../stats/histogram.ts";
import { throughputOf } from "../explore_plan.ts";
import { dropReasons, networkEventTypes } from "../network/network.ts";
import {
  type NodeHistograms,
  nodePhases,
  type NodeSnapshot,
  refusalReasons,
  type SenderCounts,
  sumOverSenders,
  totalRefused,
} from "../snapshot.ts";
import type { SystemFigures } from "./system_monitor.ts";

/** All that `/metrics` of a node shows. */
export interface NodeFigures {
  readonly snapshot: NodeSnapshot;
  /** What was recorded in the last minute. */
  readonly windows: NodeHistograms;
  readonly system: SystemFigures;
}

/** The quantiles of every summary: those that the exporter of Apollo's benchmark has. */
const quantiles = [0, 0.5, 0.9, 0.95, 0.99, 0.999, 1];

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
  durations(text, figures);
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

function durations(text: Exposition, { snapshot, windows }: NodeFigures): void {
  const named: readonly [name: string, key: keyof NodeHistograms, help: string][] = [
    [
      "broadcast_message_send_delay",
      "sendDelay",
      "From the intended time of a message to its hand-over to the sockets of all peers",
    ],
    [
      "broadcast_message_lateness",
      "lateness",
      "From the intended time of a message until the broadcaster picked it up",
    ],
    [
      "receive_message_delay",
      "delivery",
      "From the intended time of a message, by its sender's clock, to its first arrival",
    ],
    [
      "receive_message_negative_delay",
      "negativeDelivery",
      "The same where clocks differ so much that it is negative, without its sign",
    ],
    [
      "receive_message_corrected_delay",
      "correctedDelivery",
      "Delays of both kinds plus the estimated offset of the sender's clock, 0 where still negative",
    ],
    ["ping_latency", "ping", "Round trips of pings"],
  ];
  for (const [name, key, help] of named) {
    const all = snapshot.histograms[key];
    text.summary(`${name}_seconds`, `${help}, of the last minute`, [{
      labels: {},
      quantiles: windowQuantiles(windows[key]),
      sum: all.sumNs / 1e9,
      count: all.count,
    }]);
    text.histogram(`${name}_distribution_seconds`, `${help}, since the start`, all);
  }
}

function windowQuantiles(window: Histogram): [quantile: number, seconds: number][] {
  const valuesNs = window.percentilesNs(quantiles.map((quantile) => quantile * 100));
  return quantiles.map((quantile, index) => [quantile, valuesNs[index]! / 1e9]);
}

/** By sender id, for all other nodes of the network. */
function senders(text: Exposition, snapshot: NodeSnapshot): void {
  const known = new Map(snapshot.senders.map((counts) => [counts.sender, counts]));
  const each = (value: (counts: SenderCounts) => number, absent: number): Sample[] =>
    othersOf(snapshot).map((id) => {
      const counts = known.get(id);
      return [{ sender: String(id) }, counts === undefined ? absent : value(counts)];
    });
  text.counter(
    "receive_message_unique_total",
    "First arrivals of messages, by sender",
    each(({ received }) => received, 0),
  );
  text.counter(
    "receive_message_duplicates_total",
    "Further arrivals of messages, by sender, without those that gossipsub removed",
    each(({ duplicates }) => duplicates, 0),
  );
  text.counter(
    "receive_message_out_of_order_total",
    "First arrivals after a message with a higher index, by sender",
    each(({ outOfOrder }) => outOfOrder, 0),
  );
  text.counter(
    "receive_message_unclassified_total",
    "Arrivals so far behind that nobody knows whether they came before, by sender",
    each(({ unclassified }) => unclassified, 0),
  );
  text.gauge(
    "receive_message_missing",
    "Messages missing in the range of indices seen, by sender",
    each(({ pending }) => pending, 0),
  );
  text.gauge(
    "receive_message_gaps",
    "Holes in the range of indices seen, by sender",
    each(({ gaps }) => gaps, 0),
  );
  text.gauge(
    "receive_message_reach_ratio",
    "Share of the messages in the ranges of indices seen that reached this node, by sender",
    each(reachOf, NaN),
  );
  text.counter(
    "sender_restarts_total",
    "Times that a sender began its indices anew, by sender",
    each(({ restarts }) => restarts, 0),
  );
}

function reachOf({ received, pending, abandoned }: SenderCounts): number {
  const known = received + pending + abandoned;
  return known === 0 ? NaN : received / known;
}

function clocks(text: Exposition, snapshot: NodeSnapshot): void {
  const { clockOffsets, clockSteps } = snapshot;
  const byPeer = new Map(clockOffsets.map((offset) => [offset.peer, offset]));
  const each = (key: "offsetNs" | "boundNs"): Sample[] =>
    othersOf(snapshot).map((id) => [
      { peer: String(id) },
      (byPeer.get(id)?.[key] ?? NaN) / 1e9,
    ]);
  const furthest = clockOffsets.reduce(
    (most, { offsetNs }) =>
      Number.isNaN(most) || Math.abs(offsetNs) > Math.abs(most) ? offsetNs : most,
    NaN,
  );
  text.gauge(
    "receive_message_clock_skew_seconds",
    "Clock of the peer that differs most, minus this clock",
    one(furthest / 1e9),
  );
  text.gauge(
    "peer_clock_offset_seconds",
    "Clock of the peer minus this clock, as estimated",
    each("offsetNs"),
  );
  text.gauge(
    "peer_clock_offset_bound_seconds",
    "How far the estimate can be off in either direction",
    each("boundNs"),
  );
  text.counter(
    "clock_steps_total",
    "Steps of this host's real-time clock",
    one(clockSteps.count),
  );
}

function system(text: Exposition, figures: SystemFigures): void {
  const { networkBytes, networkBytesCurrent } = figures;
  const gauge = (name: string, help: string, value: number) => text.gauge(name, help, one(value));
  const counter = (name: string, help: string, value: number) =>
    text.counter(name, help, one(value));
  gauge(
    "system_process_cpu_usage_percent",
    "CPU of this process in the last second; 100 is one core",
    figures.processCpuPercent,
  );
  gauge(
    "system_process_memory_usage_bytes",
    "Resident memory of this process",
    figures.processMemoryBytes,
  );
  gauge(
    "system_process_virtual_memory_usage_bytes",
    "Address space of this process",
    figures.processVirtualMemoryBytes,
  );
  gauge("system_total_memory_bytes", "Memory of the host", figures.totalMemoryBytes);
  gauge(
    "system_available_memory_bytes",
    "Memory that can be used without swapping",
    figures.availableMemoryBytes,
  );
  gauge("system_used_memory_bytes", "Memory that is not available", figures.usedMemoryBytes);
  gauge("system_cpu_count", "Logical CPUs of the host", figures.cpuCount);
  counter(
    "system_network_bytes_sent_total",
    "Sent by all interfaces but loopback and ifb, since they came up",
    networkBytes.sent,
  );
  counter(
    "system_network_bytes_received_total",
    "Received by all interfaces but loopback and ifb, since they came up",
    networkBytes.received,
  );
  gauge(
    "system_network_bytes_sent_current",
    "Of those, in the last second",
    networkBytesCurrent.sent,
  );
  gauge(
    "system_network_bytes_received_current",
    "Of those, in the last second",
    networkBytesCurrent.received,
  );
  counter("system_tcp_segments_out", "TCP segments sent by the host", figures.tcpSegmentsOut);
  counter(
    "system_tcp_segments_retrans",
    "TCP segments sent again by the host",
    figures.tcpSegmentsRetransmitted,
  );
  gauge(
    "system_tcp_retransmit_rate_percent",
    "TCP segments sent again per hundred sent, in the last second",
    figures.tcpRetransmitPercent,
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

/** The ids of all other nodes. */
function othersOf({ nodeId, numNodes }: NodeSnapshot): number[] {
  return Array.from({ length: numNodes }, (_, id) => id).filter((id) => id !== nodeId);
}

const noLabels: Labels = {};

function one(value: number): Sample[] {
  return [[noLabels, value]];
}
