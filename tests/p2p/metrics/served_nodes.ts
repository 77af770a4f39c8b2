import assert from "node:assert/strict";
import { nodeView } from "../../../lib/p2p/metrics/node_view.ts";
import { SystemMonitor } from "../../../lib/p2p/metrics/system_monitor.ts";
import type { BroadcastNode } from "../../../lib/p2p/node/broadcast_node.ts";
import { serveStats, type StatsServer } from "../../../lib/report/http.ts";
import { startNodes, until } from "../node/networks.ts";
import { type ParsedFamily, parsePrometheusText } from "./prometheus_text.ts";

export const messageBytes = 2048;

/** Three nodes in this process, each with a page of its own. */
export class ServedNodes implements AsyncDisposable {
  private constructor(
    readonly nodes: readonly BroadcastNode[],
    readonly monitor: SystemMonitor,
    readonly servers: readonly StatsServer[],
  ) {}

  static async start(): Promise<ServedNodes> {
    const nodes = await startNodes(3, { messageBytes, heartbeatMs: 10 });
    const monitor = new SystemMonitor();
    const servers = nodes.map((node) =>
      serveStats({ hostname: "127.0.0.1", port: 0, view: nodeView(node, monitor) })
    );
    return new ServedNodes(nodes, monitor, servers);
  }

  async begin(): Promise<void> {
    await until(() => this.nodes.every((node) => node.isConnected()), "a full mesh");
    for (const node of this.nodes) node.begin();
  }

  /** Nothing falls due any more, and everything has arrived. */
  async finish(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.finish()));
    const sum = (of: (node: BroadcastNode) => number) =>
      this.nodes.reduce((total, node) => total + of(node), 0);
    await until(
      () =>
        sum((node) => node.snapshot().received.messages) ===
          2 * sum((node) => node.snapshot().broadcast.sent),
      "every message everywhere",
    );
  }

  async scrape(node: number): Promise<ReadonlyMap<string, ParsedFamily>> {
    const response = await fetch(new URL("metrics", this.servers[node]!.url));
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
    return parsePrometheusText(await response.text());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.monitor.stop();
    await Promise.all(this.servers.map((server) => server.stop()));
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}
