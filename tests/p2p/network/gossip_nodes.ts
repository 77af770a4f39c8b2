import assert from "node:assert/strict";
import { freePorts } from "../../../lib/p2p/local/free_ports.ts";
import { startGossipsub } from "../../../lib/p2p/network/gossipsub.ts";
import type { Host } from "../../../lib/p2p/network/host.ts";
import type {
  BroadcastNetwork,
  DropReason,
  NetworkEventType,
  NetworkSettings,
} from "../../../lib/p2p/network/network.ts";

/** A node of a test, and what it was told. */
export class GossipNode {
  /** How often each message came, by its text. */
  readonly received = new Map<string, number>();
  /** Whole messages, where `keeps` is set. */
  readonly messages: Uint8Array[] = [];
  readonly sent: number[] = [];
  readonly dropped: [DropReason, number][] = [];
  readonly events: NetworkEventType[] = [];
  readonly roundTrips: number[] = [];
  keeps = false;
  network!: BroadcastNetwork;

  constructor(readonly settings: NetworkSettings) {}

  async start(): Promise<void> {
    this.network = await startGossipsub(this.settings, {
      received: (message) => {
        if (this.keeps) this.messages.push(message.slice());
        const text = Buffer.from(message).toString("latin1");
        this.received.set(text, (this.received.get(text) ?? 0) + 1);
      },
      dropped: (reason, token) => void this.dropped.push([reason, token]),
      sent: (token) => void this.sent.push(token),
      event: (type) => void this.events.push(type),
      roundTrip: (_peer, rttNs) => void this.roundTrips.push(rttNs),
    });
  }
}

/** The host below a network, to which a test does what the network never would. */
export function hostOf({ network }: GossipNode): Host {
  return (network as unknown as { readonly host: Host }).host;
}

/** Nodes that know each other, not started. */
export function gossipNodes(
  count: number,
  changes: Partial<NetworkSettings> = {},
): GossipNode[] {
  const ports = freePorts(count, "127.0.0.1");
  const bootstrap = ports.map((port) => `/ip4/127.0.0.1/tcp/${port}`);
  return ports.map((listenPort, nodeId) =>
    new GossipNode({
      protocol: "gossipsub",
      nodeId,
      numNodes: count,
      listenHost: "127.0.0.1",
      listenPort,
      bootstrap,
      bufferSize: 100_000,
      messageBytes: 1024,
      quic: false,
      broadcaster: undefined,
      ...changes,
    })
  );
}

/** Waits until a condition holds, at most so long. */
export async function until(
  what: string,
  holds: () => boolean,
  mostMs = 30_000,
): Promise<void> {
  const end = performance.now() + mostMs;
  while (!holds()) {
    assert.ok(performance.now() < end, `after ${mostMs} ms not yet: ${what}`);
    await Bun.sleep(5);
  }
}

/** Waits until every node reaches every other. */
export function fullMesh(nodes: readonly GossipNode[]): Promise<void> {
  return until(
    "a full mesh",
    () => nodes.every(({ network }) => network.reachablePeers() === nodes.length - 1),
  );
}

/** Runs a test with nodes that are stopped whatever happens. */
export async function withNodes(
  nodes: readonly GossipNode[],
  body: () => Promise<void>,
): Promise<void> {
  try {
    await body();
  } finally {
    await Promise.all(nodes.map(({ network }) => network?.stop()));
  }
}
