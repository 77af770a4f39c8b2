import { Histogram } from "../../stats/histogram.ts";
import { summarize } from "../../stats/histogram_summary.ts";
import type { PackedHistogram } from "../../stats/packed_histogram.ts";
import { schemaVersion } from "../../stats/snapshot.ts";
import { networkEventTypes } from "../network/network.ts";
import {
  broadcastDropReasons,
  emptyBroadcastCounts,
  emptyEventCounts,
  type ExploreTrial,
} from "../snapshot.ts";
import { type NodeDeliveries, reachShares } from "./delivery_figures.ts";
import type { LocalNetwork } from "./local_network.ts";
import { receiversEach } from "./network_plan.ts";
import type { NodeProcess } from "./node_process.ts";
import type { PackedNodeSnapshot } from "./node_report.ts";
import type {
  NetworkBroadcastCounts,
  NetworkPhase,
  NetworkSnapshot,
  NodeReportRow,
} from "./snapshot.ts";

/** Everything that is known of a network now. What nodes count themselves is a second old at most. */
export function snapshotOf(network: LocalNetwork): NetworkSnapshot {
  const { of: { plan, protocol, run }, nodes, books, trials, clock } = network;
  const figures = books.figures();
  const [reach50, reach99, reach100] = figures.reach;
  const all = nodes.flatMap(snapshotsOf);
  const merged = (key: "sendDelay" | "lateness" | "ping") => {
    const histogram = new Histogram();
    for (const { histograms } of all) histogram.addPacked(histograms[key]);
    return histogram;
  };
  const events = emptyEventCounts();
  for (const snapshot of all) {
    for (const type of networkEventTypes) events[type] += snapshot.events[type];
  }
  const combination = trials?.combinationAt(clock.nowNs()) ?? plan;
  const isForAll = receiversEach(protocol, plan.numNodes) === plan.numNodes - 1;
  return {
    schemaVersion,
    role: "p2p-network",
    run,
    protocol,
    mode: plan.mode,
    numNodes: plan.numNodes,
    broadcaster: plan.broadcaster,
    messageBytes: combination.messageBytes,
    heartbeatMs: combination.heartbeatMs,
    phase: phaseOf(network),
    elapsedMs: clock.elapsedMs,
    runningMs: clock.runningMs,
    plannedMs: plan.durationMs,
    warmupMs: plan.warmupMs,
    interrupted: network.interrupted,
    fullMeshAfterMs: network.fullMeshAfterMs,
    broadcast: broadcastOf(nodes, figures.nodes),
    deliveries: figures.counts,
    overflowed: all.reduce((total, { received }) => total + received.overflowed, 0),
    removedCopies: all.reduce((total, { received }) => total + received.removedCopies, 0),
    reach: isForAll
      ? reachShares.map((share, index) => ({ share, ...figures.reachCounts[index]! }))
      : [],
    histograms: {
      delivery: figures.delay,
      negativeDelivery: figures.negativeDelay,
      reach50: isForAll ? reach50! : new Histogram(),
      reach99: isForAll ? reach99! : new Histogram(),
      reach100: isForAll ? reach100! : new Histogram(),
      sendDelay: merged("sendDelay"),
      lateness: merged("lateness"),
      ping: merged("ping"),
    },
    nodes: nodes.map((node) =>
      rowOf(node, figures.nodes[node.id]!, books.inFlightTo(node.id), plan.numNodes - 1)
    ),
    outages: network.outages.reports(clock.beginNs),
    events,
    ...(trials === undefined ? {} : {
      explore: {
        planned: trials.combinations.length,
        trials: trials.results(nodes.map(trialsOf), clock.endNs),
      },
    }),
    verdict: undefined,
  };
}

function phaseOf({ phase, trials, clock }: LocalNetwork): NetworkPhase {
  if (phase !== "running") return phase;
  if (clock.isWarmingUp) return "warmup";
  return trials?.isTrying(clock.nowNs()) === false ? "cool-down" : "running";
}

/** What a node has said last, in each of its processes. */
function snapshotsOf({ earlier, snapshot }: NodeProcess): PackedNodeSnapshot[] {
  const before = earlier.map((process) => process.snapshot);
  return snapshot === undefined ? before : [...before, snapshot];
}

function trialsOf(node: NodeProcess): ExploreTrial[] {
  return snapshotsOf(node).flatMap(({ explore }) => explore?.trials ?? []);
}

function broadcastOf(
  nodes: readonly NodeProcess[],
  books: readonly NodeDeliveries[],
): NetworkBroadcastCounts {
  const total: NetworkBroadcastCounts = { ...emptyBroadcastCounts(), gone: 0 };
  for (const node of nodes) {
    let sent = 0;
    for (const { broadcast } of snapshotsOf(node)) {
      sent += broadcast.sent;
      total.due += broadcast.due;
      total.queued += broadcast.queued;
      total.bytes += broadcast.bytes;
      for (const reason of broadcastDropReasons) total.dropped[reason] += broadcast.dropped[reason];
    }
    let gone = 0;
    for (const process of node.earlier) gone += process.gone;
    total.queued -= gone;
    // Messages that a node sent after it last spoke of itself are known from those who received them.
    const unsaid = Math.max(0, books[node.id]!.sent - sent);
    total.sent += sent + unsaid;
    total.due += Math.max(0, unsaid - gone);
    total.gone += Math.max(0, gone - unsaid);
  }
  return total;
}

function rowOf(
  node: NodeProcess,
  books: NodeDeliveries,
  pending: number,
  others: number,
): NodeReportRow {
  const snapshots = snapshotsOf(node);
  const last = snapshots.at(-1);
  const p99Of = (packed: PackedHistogram | undefined) => {
    if (packed === undefined) return NaN;
    const histogram = new Histogram();
    histogram.addPacked(packed);
    return histogram.percentileNs(99);
  };
  const { sent, delivered, missed, missedWhileDown, unknown, duplicated, outOfOrder } = books;
  return {
    id: node.id,
    state: node.isSilent ? "silent" : node.state,
    pid: node.pid,
    peerId: last?.peerId ?? "",
    ...(node.url === undefined ? {} : { url: node.url }),
    starts: node.starts,
    peers: node.isConnected ? others : node.isUp ? last?.peers.connected ?? 0 : 0,
    // As far as a node looked, which is once a second.
    mostPeers: Math.max(
      node.isConnected ? others : 0,
      ...snapshots.map(({ mostPeers }) => mostPeers),
    ),
    due: snapshots.reduce((total, { broadcast }) => total + broadcast.due, 0),
    ...{ sent, delivered, missed, missedWhileDown, unknown, duplicated, outOfOrder },
    pending,
    delivery: summarize(books.delay),
    latenessP99Ns: p99Of(last?.histograms.lateness),
    cpuShare: last?.running.cpuShare ?? NaN,
    cpuWaitShare: last?.running.cpuWaitShare ?? NaN,
    rssBytes: last?.process.rssBytes ?? NaN,
  };
}
