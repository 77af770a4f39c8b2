import { schemaVersion } from "../../../lib/stats/snapshot.ts";
import {
  emptyBroadcastCounts,
  emptyEventCounts,
  emptyNodeHistograms,
  emptyReceiveCounts,
  type NodeSnapshot,
  type SenderCounts,
} from "../../../lib/p2p/snapshot.ts";

/** Node 1 of 3, before anything has happened. */
export function idleNode(changes: Partial<NodeSnapshot> = {}): NodeSnapshot {
  return {
    schemaVersion,
    role: "p2p-node",
    run: {
      version: "0.1.0",
      host: "here",
      pid: 4711,
      startedAt: "2026-11-21T06:00:00.000Z",
      labels: {},
      settings: {},
    },
    nodeId: 1,
    numNodes: 3,
    peerId: "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X",
    addresses: ["/ip4/127.0.0.1/tcp/10001"],
    protocol: "gossipsub",
    mode: "all",
    broadcaster: undefined,
    messageBytes: 1024,
    heartbeatMs: 2.5,
    phase: "connecting",
    warmupMs: 0,
    elapsedMs: 1500,
    interrupted: false,
    broadcast: emptyBroadcastCounts(),
    received: emptyReceiveCounts(),
    senders: [],
    peers: { connected: 0, reachable: 0, blacklisted: 0, sessionsIn: 0, sessionsOut: 0 },
    mostPeers: 0,
    events: emptyEventCounts(),
    resets: 0,
    clockOffsets: [],
    clockSteps: { count: 0, lastNs: 0 },
    histograms: emptyNodeHistograms(),
    running: { seconds: 0, cpuShare: NaN, cpuWaitShare: NaN },
    process: { cpuUserSeconds: 1, cpuSystemSeconds: 0.5, rssBytes: 80e6, openFds: 40 },
    verdict: undefined,
    ...changes,
  };
}

/** Ten messages from a sender, of which two are missing. */
export function senderCounts(sender: number, changes: Partial<SenderCounts> = {}): SenderCounts {
  return {
    sender,
    received: 8,
    gaps: 1,
    pending: 2,
    abandoned: 0,
    duplicates: 3,
    outOfOrder: 1,
    unclassified: 0,
    restarts: 0,
    firstIndex: 5,
    lastIndex: 14,
    delaySumNs: 8e6,
    delayMinNs: -1e5,
    delayMaxNs: 3e6,
    ...changes,
  };
}
