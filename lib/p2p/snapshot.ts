import { OneWayDelays } from "./one_way_delays.ts";
import { Histogram } from "../stats/histogram.ts";
import type { PackedHistogram } from "../stats/packed_histogram.ts";
import type { ProcessUsage, RunIdentity, schemaVersion, Verdict } from "../stats/snapshot.ts";
import type { Mode } from "./mode.ts";
import {
  type ClockOffset,
  type DropReason,
  dropReasons,
  type NetworkEventType,
  networkEventTypes,
  type NetworkProtocol,
} from "./network/network.ts";

/**
 * `connecting`: nothing is due yet; `warmup`: messages are sent and not timed; `running`: the plan goes
 * on; `cool-down`: between two trials of `explore`; `draining`: the plan is over and the last messages
 * are awaited.
 */
export const nodePhases = [
  ...["connecting", "warmup", "running", "cool-down", "draining", "done"] as const,
] as const;

export type NodePhase = (typeof nodePhases)[number];

/** Why a message that was due was not broadcast: the network's reasons, and the node's own. */
export const broadcastDropReasons = [
  ...dropReasons,
  /** The node did not get to it before its turn, trial or run was over. */
  "late",
  /** It was queued in a network that was dropped: at a cool-down of `explore`, or at the end. */
  "network_reset",
] as const satisfies readonly (DropReason | "late" | "network_reset")[];

export type BroadcastDropReason = (typeof broadcastDropReasons)[number];

/** Why something that came out of the network is not counted as a message. */
export const refusalReasons = [
  /** Fewer bytes than a header has. */
  "too_short",
  /** Fewer bytes than the header's payload length says. */
  "truncated",
  /** More bytes than the header's payload length says. */
  "overlong",
  /** A field that no node writes: a billion nanoseconds and more, an index beyond 2^53 − 1. */
  "bad_field",
  /** The sender id is none of the network's. */
  "unknown_sender",
  /** The sender is this node itself, of an earlier run: an own message came back. */
  "own",
  /** It was due in another trial of `explore` than the one that runs. */
  "other_trial",
] as const;

export type RefusalReason = (typeof refusalReasons)[number];

/** Always: due = sent + queued + dropped (all reasons together). */
export interface BroadcastCounts {
  /** What the plan called for until now. */
  due: number;
  /** Handed to the sockets of the peers. */
  sent: number;
  /** Due, and neither sent nor dropped yet; 0 after the run. */
  queued: number;
  dropped: Record<BroadcastDropReason, number>;
  /** Of those sent, headers included. */
  bytes: number;
}

/** Always: messages = received + duplicates + unclassified, over all senders. */
export interface ReceiveCounts {
  /** Messages of other nodes that were well-formed, first arrivals and further ones. */
  messages: number;
  /** Of those, headers included. */
  bytes: number;
  /** Size of the last of those, header included; 0 before the first. */
  lastBytes: number;
  /** Delays that are negative even when they are corrected by the offset of the sender's clock. */
  correctedBelowZero: number;
  /** What the network itself refused: malformed, or not signed by its author. */
  invalid: number;
  /** Further copies that gossipsub removed before they were counted as anything. */
  removedCopies: number;
  /** Messages of peers that were dropped as too many came in at the same time: `--buffer-size`. */
  overflowed: number;
  refused: Record<RefusalReason, number>;
}

/**
 * What came from one sender, whoever passed it on: by the sender id in the message.
 *
 * Where `explore` drops the network state, the range begins anew (`gaps`, `pending`, `firstIndex`,
 * `lastIndex`); the other counts go on.
 */
export interface SenderCounts {
  readonly sender: number;
  /** First arrivals. */
  received: number;
  /** Holes in the range of indices seen: runs of missing messages. */
  gaps: number;
  /** Messages missing in them: last − first + 1 − seen, over all runs of the sender. */
  pending: number;
  /** Were pending when `explore` dropped the network state; they never come. */
  abandoned: number;
  /** Further arrivals of a message. */
  duplicates: number;
  /** First arrivals that came after one with a higher index. */
  outOfOrder: number;
  /** So far behind that it is not known any more whether they had come before. */
  unclassified: number;
  /** How often the sender began again at a lower index, with later times: it was restarted. */
  restarts: number;
  /** Smallest and largest index of its latest run; −1 before the first message. */
  firstIndex: number;
  lastIndex: number;
  /** One-way delays as the two clocks show them, negative ones too: sum (of `received`), extremes. */
  delaySumNs: number;
  delayMinNs: number;
  delayMaxNs: number;
}

export interface PeerCounts {
  connected: number;
  /** Of those, the ones that a message published now would go to. */
  reachable: number;
  blacklisted: number;
  /** Open streams of the benchmark's protocols, by who opened them. */
  sessionsIn: number;
  sessionsOut: number;
}

/** All in nanoseconds. */
export interface NodeHistograms {
  /** Hand-over to the sockets minus intended time. */
  sendDelay: Histogram;
  /** When the broadcaster picked a message up minus its intended time: its own lateness alone. */
  lateness: Histogram;
  /** Arrival minus intended time (of the header), where that is not negative; first arrivals. */
  delivery: Histogram;
  /** The same where it is negative, without its sign: clocks differ. */
  negativeDelivery: Histogram;
  /**
   * All of these plus the offset of the sender's clock as estimated then, from when on it is known.
   * The estimate has an error, so that some are still negative: they are in here as 0, and counted in
   * `ReceiveCounts.correctedBelowZero`.
   */
  correctedDelivery: Histogram;
  ping: Histogram;
}

/** One combination of `explore`, as one node saw it. */
export interface ExploreTrial {
  /** Position in the plan, from 0. */
  readonly number: number;
  /** Unix time divided by (run + cool-down), rounded down: the same on every node. */
  readonly period: number;
  readonly messageBytes: number;
  readonly heartbeatMs: number;
  /** What this node broadcast; all 0 on the others. */
  readonly broadcast: BroadcastCounts;
  /** What it received: first arrivals, and what was missing or too much at the end of the trial. */
  readonly received: number;
  readonly receivedBytes: number;
  readonly pending: number;
  readonly duplicates: number;
  /** Last index seen, of the broadcaster: at least so many messages less one were sent; −1: none. */
  readonly lastIndex: number;
  /** Messages of other sizes than the trial's: the nodes are not in step. */
  readonly otherSizes: number;
  readonly delivery: PackedHistogram;
  readonly negativeDelivery: PackedHistogram;
  /** Length of the trial and CPU time of this process in it. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Whether it was carried out from its first to its last instant. */
  readonly isComplete: boolean;
}

export interface ExploreProgress {
  /** Combinations in the plan. */
  readonly planned: number;
  /** In the order in which they were carried out; those that have ended. */
  readonly trials: ExploreTrial[];
}

/** CPU use while the plan went on, without its warm-up. */
export interface RunningUsage {
  seconds: number;
  /** CPU time divided by time; 1 is one core. */
  cpuShare: number;
  /** Share of the time in which the node was ready to run and had no CPU; NaN where unknown. */
  cpuWaitShare: number;
}

/** Everything that one node knows at one instant. */
export interface NodeSnapshot {
  readonly schemaVersion: typeof schemaVersion;
  readonly role: "p2p-node";
  readonly run: RunIdentity;
  readonly nodeId: number;
  readonly numNodes: number;
  readonly peerId: string;
  /** Bound multiaddresses. */
  readonly addresses: readonly string[];
  readonly protocol: NetworkProtocol;
  readonly mode: Mode;
  /** The node that broadcasts in `one` and `explore`. */
  readonly broadcaster: number | undefined;
  /** Of the trial that runs, in `explore`. Header included. */
  messageBytes: number;
  heartbeatMs: number;
  phase: NodePhase;
  /** The node's own warm-up: what is due in it is counted, and not timed. */
  readonly warmupMs: number;
  elapsedMs: number;
  interrupted: boolean;
  broadcast: BroadcastCounts;
  received: ReceiveCounts;
  /** Those that something came from, by id. */
  senders: SenderCounts[];
  peers: PeerCounts;
  /** The most peers that were connected at the same time. */
  mostPeers: number;
  events: Record<NetworkEventType, number>;
  /** How often `explore` dropped the network state. */
  resets: number;
  /** By peer, where an estimate exists. */
  clockOffsets: readonly ClockOffset[];
  /** Steps of this host's real-time clock against its monotonic one, by more than slewing explains. */
  clockSteps: { count: number; lastNs: number };
  histograms: NodeHistograms;
  running: RunningUsage;
  process: ProcessUsage;
  /** In `explore`. */
  explore?: ExploreProgress;
  /** Set when the run has ended. */
  verdict: Verdict | undefined;
}

/** All delays of a node or of a network, negative ones too. */
export function delaysOf(
  { delivery, negativeDelivery }: Pick<NodeHistograms, "delivery" | "negativeDelivery">,
): OneWayDelays {
  return new OneWayDelays(delivery, negativeDelivery);
}

/** An object with every name at 0. */
export function zeroCounts<Name extends string>(names: readonly Name[]): Record<Name, number> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
}

export function emptyBroadcastCounts(): BroadcastCounts {
  return { due: 0, sent: 0, queued: 0, dropped: zeroCounts(broadcastDropReasons), bytes: 0 };
}

export function emptyReceiveCounts(): ReceiveCounts {
  return {
    messages: 0,
    bytes: 0,
    lastBytes: 0,
    correctedBelowZero: 0,
    invalid: 0,
    removedCopies: 0,
    overflowed: 0,
    refused: zeroCounts(refusalReasons),
  };
}

export function emptyEventCounts(): Record<NetworkEventType, number> {
  return zeroCounts(networkEventTypes);
}

/** Cost: 135 KB a histogram. */
export function emptyNodeHistograms(): NodeHistograms {
  return {
    sendDelay: new Histogram(),
    lateness: new Histogram(),
    delivery: new Histogram(),
    negativeDelivery: new Histogram(),
    correctedDelivery: new Histogram(),
    ping: new Histogram(),
  };
}

/** All messages that were due and will not be sent. */
export function totalDropped({ dropped }: Pick<BroadcastCounts, "dropped">): number {
  return broadcastDropReasons.reduce((total, reason) => total + dropped[reason], 0);
}

/** Everything that came and is not counted as a message. */
export function totalRefused({ refused }: Pick<ReceiveCounts, "refused">): number {
  return refusalReasons.reduce((total, reason) => total + refused[reason], 0);
}

/** A sum over all senders. */
export function sumOverSenders(
  senders: readonly SenderCounts[],
  count: Exclude<keyof SenderCounts, "sender">,
): number {
  return senders.reduce((total, sender) => total + sender[count], 0);
}
