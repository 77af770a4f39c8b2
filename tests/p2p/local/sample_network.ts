import { emptyDeliveryCounts } from "../../../lib/p2p/local/delivery_counts.ts";
import {
  networkHistogramNames,
  type NetworkHistograms,
  type NetworkSnapshot,
  type NodeReportRow,
} from "../../../lib/p2p/local/snapshot.ts";
import { emptyBroadcastCounts, emptyEventCounts } from "../../../lib/p2p/snapshot.ts";
import { Histogram } from "../../../lib/stats/histogram.ts";
import { summarize } from "../../../lib/stats/histogram_summary.ts";
import { schemaVersion } from "../../../lib/stats/snapshot.ts";

/** Two nodes, of which the second has been killed once. */
export function twoNodes(changes: Partial<NetworkSnapshot> = {}): NetworkSnapshot {
  const histograms = Object.fromEntries(
    networkHistogramNames.map((name) => [name, new Histogram()]),
  ) as unknown as NetworkHistograms;
  for (let ms = 1; ms <= 90; ms++) histograms.delivery.record(ms * 1e6);
  for (let ms = 1; ms <= 80; ms++) histograms.reach100.record(ms * 1e6);
  return {
    schemaVersion,
    role: "p2p-network",
    run: {
      version: "0.1.0",
      host: "here",
      pid: 4711,
      startedAt: "2026-11-21T06:00:00.000Z",
      labels: {},
      settings: {},
    },
    protocol: "gossipsub",
    mode: "all",
    numNodes: 2,
    broadcaster: undefined,
    messageBytes: 1024,
    heartbeatMs: 5,
    phase: "running",
    elapsedMs: 12_500,
    runningMs: 10_000,
    plannedMs: Infinity,
    warmupMs: 0,
    interrupted: false,
    fullMeshAfterMs: 420,
    broadcast: {
      ...emptyBroadcastCounts(),
      due: 110,
      sent: 100,
      queued: 3,
      bytes: 102_400,
      gone: 7,
    },
    deliveries: {
      ...emptyDeliveryCounts(),
      sent: 100,
      expected: 100,
      delivered: 90,
      missed: 3,
      missedWhileDown: 2,
      unknown: 1,
      inFlight: 4,
      duplicated: 6,
    },
    removedCopies: 0,
    overflowed: 0,
    reach: [0.5, 0.99, 1].map((share) => ({ share, reached: 80, notReached: 5, unknown: 1 })),
    histograms,
    nodes: [nodeRow(0), nodeRow(1, { state: "killed", starts: 2, missed: 3, missedWhileDown: 2 })],
    outages: [{
      node: 1,
      pid: 77,
      isPlanned: true,
      reason: "SIGKILL",
      downAtMs: 2000,
      startedAtMs: 4000,
      backAtMs: 4100.5,
      firstMessageAtMs: NaN,
      missed: 2,
      unknown: 1,
      mostInFlight: 12,
    }],
    events: { ...emptyEventCounts(), connections_established: 4 },
    verdict: undefined,
    ...changes,
  };
}

function nodeRow(id: number, changes: Partial<NodeReportRow> = {}): NodeReportRow {
  return {
    id,
    state: "up",
    pid: 100 + id,
    peerId: "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X",
    url: "http://127.0.0.1:2000/",
    starts: 1,
    peers: 1,
    mostPeers: 1,
    due: 55,
    sent: 50,
    delivered: 45,
    missed: 0,
    missedWhileDown: 0,
    unknown: 1,
    duplicated: 3,
    outOfOrder: 0,
    pending: 2,
    delivery: summarize(new Histogram()),
    latenessP99Ns: 1e5,
    cpuShare: 0.25,
    cpuWaitShare: NaN,
    rssBytes: 90e6,
    ...changes,
  };
}
