import { test } from "bun:test";
import assert from "node:assert/strict";
import { NodeDurations } from "../../../lib/p2p/metrics/node_durations.ts";
import { type NodeFigures, nodeMetricsText } from "../../../lib/p2p/metrics/node_metrics.ts";
import { SystemMonitor } from "../../../lib/p2p/metrics/system_monitor.ts";
import {
  emptyBroadcastCounts,
  emptyEventCounts,
  emptyNodeHistograms,
  emptyReceiveCounts,
  type NodeSnapshot,
} from "../../../lib/p2p/snapshot.ts";
import { testWith } from "../../programs.ts";
import { labelValues, parsePrometheusText, valueOf } from "./prometheus_text.ts";
import { idleNode, senderCounts } from "./sample_node.ts";

/** The names of the benchmark, as they are used in dashboards. They must never change. */
const gauges = [
  "broadcast_message_theoretical_heartbeat_millis",
  "broadcast_message_theoretical_throughput",
  "broadcast_message_throughput",
  "broadcast_message_bytes",
  "receive_message_bytes",
  "receive_message_pending_count",
  "receive_message_clock_skew_seconds",
  "network_connected_peers",
  "network_blacklisted_peers",
  "network_active_inbound_sessions",
  "network_active_outbound_sessions",
  "system_process_cpu_usage_percent",
  "system_process_memory_usage_bytes",
  "system_process_virtual_memory_usage_bytes",
  "system_total_memory_bytes",
  "system_available_memory_bytes",
  "system_used_memory_bytes",
  "system_cpu_count",
  "system_network_bytes_sent_current",
  "system_network_bytes_received_current",
  "system_tcp_retransmit_rate_percent",
];
const counters = [
  "broadcast_message_count",
  "broadcast_message_bytes_sum",
  "receive_message_count",
  "receive_message_bytes_sum",
  "network_stress_test_sent_messages",
  "network_stress_test_received_messages",
  "network_reset_total",
  "network_dropped_broadcast_messages",
  "network_event_counter",
  "system_network_bytes_sent_total",
  "system_network_bytes_received_total",
  "system_tcp_segments_out",
  "system_tcp_segments_retrans",
];
const summaries = [
  "broadcast_message_send_delay_seconds",
  "receive_message_delay_seconds",
  "receive_message_negative_delay_seconds",
  "ping_latency_seconds",
];
const dropReasons = [
  "duplicate",
  "signing_error",
  "no_peers_subscribed_to_topic",
  "message_too_large",
  "transform_failed",
  "all_queues_full",
];
const eventTypes = [
  "connections_established",
  "connections_closed",
  "dial_failure",
  "listen_failure",
  "listen_error",
  "address_change",
  "new_listeners",
  "new_listen_addrs",
  "expired_listen_addrs",
  "listener_closed",
  "new_external_addr_candidate",
  "external_addr_confirmed",
  "external_addr_expired",
  "new_external_addr_of_peer",
  "inbound_connections_handled",
  "outbound_connections_handled",
  "connection_handler_events",
];
const quantiles = ["0", "0.5", "0.9", "0.95", "0.99", "0.999", "1"];

function figuresOf(
  changes: Partial<NodeSnapshot> = {},
  windows = emptyNodeHistograms(),
): NodeFigures {
  const monitor = new SystemMonitor();
  try {
    return { snapshot: idleNode(changes), windows, system: monitor.figures() };
  } finally {
    monitor.stop();
  }
}

function metricsOf(figures: NodeFigures) {
  return parsePrometheusText(nodeMetricsText(figures));
}

test("nodeMetricsText() has every name of the benchmark, with its type", () => {
  const families = metricsOf(figuresOf());
  for (
    const [type, names] of [["gauge", gauges], ["counter", counters], ["summary", summaries]]
  ) {
    for (const name of names!) assert.equal(families.get(name)?.type, type, name);
  }
  for (const name of summaries) {
    const distribution = name.replace(/_seconds$/, "_distribution_seconds");
    assert.equal(families.get(distribution)?.type, "histogram", distribution);
  }
});

test("nodeMetricsText() has every label value from the start, at 0", () => {
  const families = metricsOf(figuresOf());
  const dropped = families.get("network_dropped_broadcast_messages");
  assert.deepEqual(labelValues(dropped, "drop_reason"), dropReasons);
  const events = families.get("network_event_counter");
  assert.deepEqual(labelValues(events, "event_type"), eventTypes);
  for (const [name, { type, samples }] of families) {
    if (name.startsWith("system_")) continue;
    if (type === "counter" || type === "histogram") {
      for (const { value, labels } of samples) {
        assert.equal(value, 0, `${name} ${JSON.stringify(labels)}`);
      }
    }
    // All other nodes, and only they.
    for (const label of ["peer", "sender"]) {
      if (samples.some(({ labels }) => label in labels)) {
        assert.deepEqual(labelValues(families.get(name), label), ["0", "2"], name);
      }
    }
  }
  for (const name of summaries) {
    const { samples } = families.get(name)!;
    assert.deepEqual(samples.slice(0, 7).map(({ labels }) => labels["quantile"]), quantiles, name);
    for (const { value } of samples.slice(0, 7)) assert.ok(Number.isNaN(value), name);
    assert.deepEqual(samples.slice(7).map(({ value }) => value), [0, 0], name);
  }
  for (const name of gauges.slice(3, 11)) {
    if (name === "broadcast_message_bytes") assert.equal(valueOf(families, name), 1024);
    else if (name === "receive_message_clock_skew_seconds") {
      assert.ok(Number.isNaN(valueOf(families, name)), "the skew is known before it is measured");
    } else assert.equal(valueOf(families, name), 0, name);
  }
});

test("nodeMetricsText() shows the figures of the snapshot", () => {
  const broadcast = emptyBroadcastCounts();
  Object.assign(broadcast, { due: 110, sent: 90, queued: 3, bytes: 92160 });
  Object.assign(broadcast.dropped, { all_queues_full: 10, late: 5, network_reset: 2 });
  const received = emptyReceiveCounts();
  Object.assign(received, { messages: 19, bytes: 19456, lastBytes: 2048, invalid: 5 });
  received.refused.truncated = 4;
  const events = emptyEventCounts();
  events.dial_failure = 6;
  const families = metricsOf(figuresOf({
    broadcast,
    received,
    events,
    resets: 7,
    phase: "running",
    senders: [senderCounts(2), senderCounts(0, { received: 15, pending: 5, abandoned: 10 })],
    peers: { connected: 2, reachable: 2, blacklisted: 1, sessionsIn: 3, sessionsOut: 4 },
    clockOffsets: [
      { peer: 0, offsetNs: 2e6, boundNs: 1e5 },
      { peer: 2, offsetNs: -3e6, boundNs: 5e4 },
    ],
    clockSteps: { count: 8, lastNs: 1e9 },
  }));
  const expected: readonly [name: string, value: number, labels?: Record<string, string>][] = [
    ["broadcast_message_theoretical_heartbeat_millis", 2.5],
    ["broadcast_message_theoretical_throughput", 409_600],
    ["broadcast_message_throughput", 409_600],
    ["broadcast_message_bytes", 1024],
    ["broadcast_message_count", 90],
    ["broadcast_message_bytes_sum", 92160],
    ["network_stress_test_sent_messages", 90],
    ["network_dropped_broadcast_messages", 10, { drop_reason: "all_queues_full" }],
    ["broadcast_message_due_total", 110],
    ["broadcast_message_queued", 3],
    ["broadcast_message_unsent_total", 5, { reason: "late" }],
    ["broadcast_message_unsent_total", 2, { reason: "network_reset" }],
    ["receive_message_bytes", 2048],
    ["receive_message_count", 19],
    ["receive_message_bytes_sum", 19456],
    ["receive_message_pending_count", 7],
    ["network_stress_test_received_messages", 23],
    ["network_invalid_messages_total", 5],
    ["network_reachable_peers", 2],
    ["receive_message_refused_total", 4, { reason: "truncated" }],
    ["network_connected_peers", 2],
    ["network_blacklisted_peers", 1],
    ["network_active_inbound_sessions", 3],
    ["network_active_outbound_sessions", 4],
    ["network_reset_total", 7],
    ["network_event_counter", 6, { event_type: "dial_failure" }],
    ["receive_message_unique_total", 8, { sender: "2" }],
    ["receive_message_duplicates_total", 3, { sender: "2" }],
    ["receive_message_out_of_order_total", 1, { sender: "2" }],
    ["receive_message_missing", 2, { sender: "2" }],
    ["receive_message_gaps", 1, { sender: "2" }],
    ["receive_message_reach_ratio", 0.8, { sender: "2" }],
    ["receive_message_reach_ratio", 0.5, { sender: "0" }],
    ["receive_message_clock_skew_seconds", -0.003],
    ["peer_clock_offset_seconds", 0.002, { peer: "0" }],
    ["peer_clock_offset_bound_seconds", 0.00005, { peer: "2" }],
    ["clock_steps_total", 8],
    ["holdfast_p2p_phase", 1, { phase: "running" }],
    ["holdfast_p2p_phase", 0, { phase: "done" }],
  ];
  for (const [name, value, labels] of expected) {
    assert.equal(valueOf(families, name, labels), value, `${name} ${JSON.stringify(labels)}`);
  }
});

test("nodeMetricsText() has quantiles of the last minute, sum and count since the start", () => {
  let atNs = 0;
  const recorders = new NodeDurations(() => atNs);
  recorders.delivery.record(9e9);
  atNs = 61e9;
  for (let ms = 1; ms <= 1000; ms++) recorders.delivery.record(ms * 1e6);
  recorders.negativeDelivery.record(5e6);
  recorders.correctedDelivery.record(4e6);
  recorders.sendDelay.record(3e6);
  recorders.ping.record(7e6);
  const families = metricsOf(
    figuresOf({ histograms: recorders.totals() }, recorders.windows()),
  );
  const name = "receive_message_delay_seconds";
  const quantile = (at: string) => valueOf(families, name, { quantile: at });
  assert.equal(quantile("0"), 0.001);
  assert.equal(quantile("1"), 1);
  for (const [at, exact] of [["0.5", 0.5], ["0.9", 0.9], ["0.99", 0.99], ["0.999", 0.999]]) {
    const found = quantile(String(at));
    assert.ok(Math.abs(found - Number(exact)) < 0.001, `${at}: ${found}`);
  }
  assert.equal(valueOf(families, `${name}_count`), 1001);
  assert.ok(Math.abs(valueOf(families, `${name}_sum`) - 509.5) < 1e-9);
  const buckets = "receive_message_delay_distribution_seconds_bucket";
  assert.equal(valueOf(families, buckets, { le: "10" }), 1001);
  assert.equal(valueOf(families, buckets, { le: "5" }), 1000);
  assert.equal(valueOf(families, buckets, { le: "0.00001" }), 0);
  const half = { quantile: "0.5" };
  assert.equal(valueOf(families, "receive_message_negative_delay_seconds", half), 0.005);
  assert.equal(valueOf(families, "receive_message_corrected_delay_seconds", half), 0.004);
  assert.equal(valueOf(families, "broadcast_message_send_delay_seconds", half), 0.003);
  assert.equal(valueOf(families, "ping_latency_seconds", half), 0.007);
});

/** What promtool thinks of names that the benchmark has laid down. */
const knownComplaints = [
  ...counters.map((name) => `${name} counter metrics should have "_total" suffix`),
  'broadcast_message_count non-histogram and non-summary metrics should not have "_count" suffix',
  'receive_message_count non-histogram and non-summary metrics should not have "_count" suffix',
  'receive_message_pending_count non-histogram and non-summary metrics should not have "_count" suffix',
  'broadcast_message_bytes_sum non-histogram and non-summary metrics should not have "_sum" suffix',
  'receive_message_bytes_sum non-histogram and non-summary metrics should not have "_sum" suffix',
  'system_cpu_count non-histogram and non-summary metrics should not have "_count" suffix',
  'broadcast_message_theoretical_heartbeat_millis use base unit "seconds" instead of "milliseconds"',
  "network_event_counter metric name should not include type 'counter'",
];

testWith(["promtool"])("promtool reads the text, and complains of no name of ours", () => {
  const { exitCode, stderr, stdout } = Bun.spawnSync(["promtool", "check", "metrics"], {
    stdin: Buffer.from(nodeMetricsText(figuresOf())),
    timeout: 30_000,
  });
  // 3: it could read everything, and does not like some names.
  assert.equal(exitCode, 3, `${stdout}${stderr}`);
  const complaints = `${stdout}${stderr}`.trim().split("\n");
  assert.deepEqual(complaints.filter((line) => !knownComplaints.includes(line)), []);
});
