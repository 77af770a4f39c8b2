import { test } from "bun:test";
import assert from "node:assert/strict";
import { scrapeConfig } from "../../../lib/p2p/metrics/scrape_config.ts";
import { testWith } from "../../programs.ts";
import { until } from "../node/networks.ts";
import { PrometheusServer } from "./prometheus_server.ts";
import { valueOf } from "./prometheus_text.ts";
import { messageBytes, ServedNodes } from "./served_nodes.ts";

test("the metrics of running nodes say what they have sent to each other", async () => {
  await using served = await ServedNodes.start();
  const before = await served.scrape(0);
  for (const [name, { type, samples }] of before) {
    // Connections are made from the start on.
    if (type !== "counter" || name.startsWith("system_") || name === "network_event_counter") {
      continue;
    }
    for (const { value } of samples) assert.equal(value, 0, name);
  }
  await served.begin();
  await until(
    () =>
      served.nodes.map((node) => node.snapshot()).every(({ clockOffsets, histograms, broadcast }) =>
        clockOffsets.length === 2 && histograms.ping.count >= 2 && broadcast.due >= 50
      ),
    "clocks and pings of all peers, and fifty messages of each",
  );
  await served.finish();
  served.monitor.takeReading();
  const all = await Promise.all([0, 1, 2].map((node) => served.scrape(node)));
  const sent = all.map((families) => valueOf(families, "broadcast_message_count"));
  for (const [id, families] of all.entries()) {
    const value = (name: string, labels?: Record<string, string>) =>
      valueOf(families, name, labels);
    assert.ok(sent[id]! >= 50, `${sent[id]} messages`);
    assert.equal(value("broadcast_message_due_total"), sent[id]);
    assert.equal(value("broadcast_message_queued"), 0);
    assert.equal(value("broadcast_message_bytes_sum"), sent[id]! * messageBytes);
    assert.equal(value("broadcast_message_theoretical_throughput"), messageBytes * 100);
    const others = [0, 1, 2].filter((each) => each !== id);
    const received = others.reduce((total, other) => total + sent[other]!, 0);
    assert.equal(value("receive_message_count"), received);
    assert.equal(value("receive_message_bytes_sum"), received * messageBytes);
    assert.equal(value("receive_message_bytes"), messageBytes);
    assert.equal(value("network_stress_test_received_messages"), received);
    assert.equal(value("receive_message_pending_count"), 0);
    for (const other of others) {
      const sender = { sender: String(other) };
      assert.equal(value("receive_message_unique_total", sender), sent[other]);
      assert.equal(value("receive_message_duplicates_total", sender), 0);
      assert.equal(value("receive_message_reach_ratio", sender), 1);
      // They share a clock, which each node reads to some microseconds.
      const peer = { peer: String(other) };
      const offset = Math.abs(value("peer_clock_offset_seconds", peer));
      const bound = value("peer_clock_offset_bound_seconds", peer);
      assert.ok(bound > 0 && offset <= bound + 50e-6, `${offset} ± ${bound}`);
      assert.ok(Math.abs(value("receive_message_clock_skew_seconds")) >= offset);
    }
    assert.equal(value("network_connected_peers"), 2);
    assert.ok(value("network_event_counter", { event_type: "connections_established" }) >= 2);
    assert.equal(
      value("receive_message_delay_seconds_count") +
        value("receive_message_negative_delay_seconds_count"),
      received,
    );
    const quantile = (at: string) => value("receive_message_delay_seconds", { quantile: at });
    assert.ok(quantile("0") >= 0 && quantile("1") < 10, `${quantile("0")} to ${quantile("1")}`);
    const mean = value("receive_message_delay_seconds_sum") /
      value("receive_message_delay_seconds_count");
    assert.ok(mean >= quantile("0") && mean <= quantile("1"), `${mean}`);
    assert.equal(value("broadcast_message_send_delay_seconds_count"), sent[id]);
    assert.ok(value("ping_latency_seconds_count") >= 2);
    assert.ok(value("system_process_cpu_usage_percent") > 0);
    assert.equal(value("holdfast_p2p_phase", { phase: "draining" }), 1);
  }
}, 30_000);

test(
  "the statistics of a running node have the last minute and the host beside its snapshot",
  async () => {
    await using served = await ServedNodes.start();
    await served.begin();
    await until(() => served.nodes[1]!.snapshot().received.messages > 20, "messages");
    await served.finish();
    const { url } = served.servers[1]!;
    const stats = await (await fetch(new URL("stats", url))).json();
    const received = served.nodes[1]!.snapshot().received.messages;
    assert.equal(stats.role, "p2p-node");
    assert.equal(stats.nodeId, 1);
    assert.equal(stats.received.messages, received);
    assert.equal(
      stats.histograms.delivery.count + stats.histograms.negativeDelivery.count,
      received,
    );
    assert.deepEqual(stats.lastMinute, stats.histograms);
    assert.ok(stats.system.totalMemoryBytes > stats.system.usedMemoryBytes);
    const encoded = await (await fetch(new URL("stats?encoded=1", url))).json();
    assert.equal(typeof encoded.histograms.delivery.encoded, "string");
    assert.equal(typeof encoded.lastMinute.delivery.encoded, "string");
  },
  30_000,
);

testWith(["prometheus"])("Prometheus scrapes running nodes by the configuration", async () => {
  await using served = await ServedNodes.start();
  await served.begin();
  await using prometheus = await PrometheusServer.start(
    scrapeConfig(
      served.servers.map(({ port }, nodeId) => ({ nodeId, address: `127.0.0.1:${port}` })),
      "test",
    ),
  );
  await prometheus.queryUntil("up == 1", (series) => series.length === 3);
  await served.finish();
  const sent = served.nodes.map((node) => node.snapshot().broadcast.sent);
  for (const [id, count] of sent.entries()) {
    const labels = `{job="holdfast-p2p",run="test",node="${id}"}`;
    await prometheus.queryUntil(
      `broadcast_message_count${labels}`,
      ([series]) => series?.value === count,
    );
  }
  const [p99] = await prometheus.query('receive_message_delay_seconds{node="2",quantile="0.99"}');
  assert.ok(p99!.value > 0, JSON.stringify(p99));
  const types = await prometheus.types();
  assert.equal(types.get("receive_message_delay_seconds"), "summary");
  assert.equal(types.get("receive_message_delay_distribution_seconds"), "histogram");
  assert.equal(types.get("network_event_counter"), "counter");
  assert.equal(types.get("network_connected_peers"), "gauge");
}, 60_000);
