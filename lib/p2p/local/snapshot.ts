import type { Histogram } from "../../stats/histogram.ts";
import type { HistogramSummary } from "../../stats/histogram_summary.ts";
import type { RunIdentity, schemaVersion, Verdict } from "../../stats/snapshot.ts";
import type { Mode } from "../mode.ts";
import type { NetworkEventType, NetworkProtocol } from "../network/network.ts";
import type { BroadcastCounts } from "../snapshot.ts";
import type { DeliveryCounts, ReachCounts } from "./delivery_counts.ts";

/**
 * `starting`: processes are started; `connecting`: until the mesh is full; `warmup`: messages
 * are sent and not timed; `running`: the plan goes on; `cool-down`: before, between and after the trials of `explore`; `draining`: the plan is over and
 * the last messages are awaited.
 */
export const networkPhases = [
  ...["starting", "connecting", "warmup", "running", "cool-down", "draining", "done"] as const,
] as const;

export type NetworkPhase = (typeof networkPhases)[number];

/**
 * `silent`: nothing has been heard of it for a while, so that it may hang; `lost`: its process ended by
 * itself; `killed`: as the plan wanted it.
 */
export const nodeStates = [
  ...["starting", "connecting", "up", "silent", "killed", "lost", "done"] as const,
] as const;

export type NodeState = (typeof nodeStates)[number];

/**
 * Always: due = sent + queued + dropped (all reasons) + gone. What a node sent after it last spoke of
 * itself, and others received, is among the first two; `bytes` are those that nodes spoke of.
 */
export interface NetworkBroadcastCounts extends BroadcastCounts {
  /** Due, and neither sent nor dropped, when their node ended. */
  gone: number;
}

/** How much of the network a message had reached after a time. */
export interface ReachReport extends ReachCounts {
  /** Of the other nodes: 0.5, 0.99, 1. */
  readonly share: number;
}

/** One node of the network, over all of its processes. */
export interface NodeReportRow {
  readonly id: number;
  state: NodeState;
  /** Of its last process. */
  pid: number;
  peerId: string;
  /** Its `/metrics`, `/stats` and page, where it serves them. */
  url?: string;
  /** Processes that it has had. */
  starts: number;
  /** Peers connected now, and the most that were connected at the same time. */
  peers: number;
  mostPeers: number;
  due: number;
  /** Messages that it broadcast. */
  sent: number;
  /** Messages of others. */
  delivered: number;
  missed: number;
  missedWhileDown: number;
  unknown: number;
  duplicated: number;
  outOfOrder: number;
  /** Deliveries to it that are outstanding; NaN where it is not said who is to have a message. */
  pending: number;
  /** From when messages were due to their arrival here. */
  delivery: HistogramSummary;
  latenessP99Ns: number;
  /** CPU while the plan went on; 1 is one core. */
  cpuShare: number;
  cpuWaitShare: number;
  rssBytes: number;
}

/** A node that was down. Times are milliseconds since the plan began. */
export interface NodeOutageReport {
  readonly node: number;
  readonly pid: number;
  /** Whether the plan of the run wanted it. */
  readonly isPlanned: boolean;
  /** The signal that killed it, or its exit code and what it said. */
  readonly reason: string;
  readonly downAtMs: number;
  /** When the next process was started; NaN: none was. */
  startedAtMs: number;
  /** When it was in the full mesh again; NaN: it never was. */
  backAtMs: number;
  /** When the first message arrived there again; NaN: none did. */
  firstMessageAtMs: number;
  /** Messages for it that were due while it was down, and never arrived there. */
  missed: number;
  /** Messages that were due before, of which it is not known whether it had them. */
  unknown: number;
  /** The most deliveries that were outstanding in the whole network, from its end on. */
  mostInFlight: number;
}

/** One combination of `explore`, on all nodes. */
export interface NetworkTrial {
  readonly number: number;
  readonly messageBytes: number;
  readonly heartbeatMs: number;
  /** Bytes per second that the broadcaster was asked for. */
  readonly askedBytesPerSecond: number;
  /** Bytes of the messages that every other node had, per second of the trial. */
  readonly deliveredBytesPerSecond: number;
  readonly broadcast: BroadcastCounts;
  readonly counts: DeliveryCounts;
  /** Missing in the ranges of indices seen, at the end of the trial, over all nodes. */
  readonly pending: number;
  /** Nodes that have carried it out from its first to its last instant. */
  readonly complete: number;
  readonly delivery: HistogramSummary;
  /** CPU of all nodes; 1 is one core. */
  readonly cpuShare: number;
  /** ≥ 99.9 % of the deliveries made, nothing pending, and the broadcaster kept its plan. */
  readonly isSustained: boolean;
}

/** All in nanoseconds. */
export interface NetworkHistograms {
  /** From when a message was due to its arrival, over all receivers. */
  delivery: Histogram;
  /** Arrivals before the due instant, without their sign. */
  negativeDelivery: Histogram;
  /** From when a message was due until 50 %, 99 % and 100 % of the other nodes had it. */
  reach50: Histogram;
  reach99: Histogram;
  reach100: Histogram;
  /** Hand-over to the sockets minus due instant. */
  sendDelay: Histogram;
  /** When a broadcaster picked a message up minus its due instant: its own lateness. */
  lateness: Histogram;
  ping: Histogram;
}

export const networkHistogramNames = [
  "delivery",
  "negativeDelivery",
  "reach50",
  "reach99",
  "reach100",
  "sendDelay",
  "lateness",
  "ping",
] as const satisfies readonly (keyof NetworkHistograms)[];

/** A network on one host: everything that its nodes have said, put together. */
export interface NetworkSnapshot {
  readonly schemaVersion: typeof schemaVersion;
  readonly role: "p2p-network";
  readonly run: RunIdentity;
  readonly protocol: NetworkProtocol;
  readonly mode: Mode;
  readonly numNodes: number;
  readonly broadcaster: number | undefined;
  /** In `explore`, of the trial that runs. Header included. */
  messageBytes: number;
  heartbeatMs: number;
  phase: NetworkPhase;
  elapsedMs: number;
  /** How much of the plan is over, and how long it is; Infinity: as long as `explore` takes. */
  runningMs: number;
  plannedMs: number;
  /**
   * So much of the plan, from its begin, is warm-up: messages due in it are in all counts, and not in
   * the histograms, which with the CPU use are of the time after it.
   */
  warmupMs: number;
  interrupted: boolean;
  /** From the first node's start until all were connected to all; NaN: not yet, or never. */
  fullMeshAfterMs: number;
  broadcast: NetworkBroadcastCounts;
  deliveries: DeliveryCounts;
  /** Further copies that gossipsub removed: they are in none of the counts of deliveries. */
  removedCopies: number;
  /** Messages that nodes dropped as too many came in at the same time: `--buffer-size`. */
  overflowed: number;
  /** In the order 50 %, 99 %, 100 %; empty where a message is for one node only. */
  reach: readonly ReachReport[];
  histograms: NetworkHistograms;
  nodes: NodeReportRow[];
  outages: NodeOutageReport[];
  events: Record<NetworkEventType, number>;
  /** In `explore`. */
  explore?: { readonly planned: number; readonly trials: readonly NetworkTrial[] };
  /** Set when the run has ended. */
  verdict: Verdict | undefined;
}
