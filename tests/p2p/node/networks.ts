import { BroadcastNode } from "../../../lib/p2p/node/broadcast_node.ts";
import type { NodeObserver } from "../../../lib/p2p/node/node_observer.ts";
import type { BroadcastNodeSettings } from "../../../lib/p2p/node/node_settings.ts";
import type { StartNetwork } from "../../../lib/p2p/network/network.ts";

export const originSeconds = Math.floor(Date.now() / 1000);

/** A node on a free port of loopback that knows nobody. */
export function nodeSettings(changes: Partial<BroadcastNodeSettings> = {}): BroadcastNodeSettings {
  return {
    run: {
      version: "0",
      host: "here",
      pid: process.pid,
      startedAt: new Date().toISOString(),
      labels: {},
      settings: {},
    },
    nodeId: 0,
    numNodes: 1,
    protocol: "gossipsub",
    listenHost: "127.0.0.1",
    listenPort: 0,
    bootstrap: [],
    quic: false,
    mode: "all",
    broadcaster: undefined,
    messageBytes: 1024,
    heartbeatMs: 10,
    roundSeconds: 3,
    explore: {
      runSeconds: 1,
      coolDownSeconds: 1,
      minThroughputBytesPerSecond: 0,
      minMessageBytes: 0,
      stopsAtLimit: false,
    },
    bufferSize: 100_000,
    originSeconds,
    begin: "told",
    connectTimeoutMs: 20_000,
    drainMs: 15_000,
    note: () => {},
    ...changes,
  };
}

/** Several nodes in this process, each told of those before it. */
export async function startNodes(
  count: number,
  changes: Partial<BroadcastNodeSettings>,
  observerOf: (nodeId: number) => NodeObserver = () => ({}),
  startNetwork?: StartNetwork,
): Promise<BroadcastNode[]> {
  const nodes: BroadcastNode[] = [];
  try {
    for (let nodeId = 0; nodeId < count; nodeId++) {
      const bootstrap = nodes.flatMap(({ addresses }) => addresses);
      const settings = nodeSettings({ numNodes: count, ...changes, nodeId, bootstrap });
      nodes.push(await BroadcastNode.start(settings, observerOf(nodeId), startNetwork));
    }
    return nodes;
  } catch (error) {
    await Promise.all(nodes.map((node) => node.stop()));
    throw error;
  }
}

/** Waits until a condition holds. */
export async function until(holds: () => boolean, what: string, withinMs = 15_000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error(`${what}: not within ${withinMs} ms`);
    await Bun.sleep(5);
  }
}
