import {
  formatBytes,
  formatCores,
  formatCount,
  formatDuration,
  formatShare,
} from "../stats/figures.ts";
import { Histogram } from "../stats/histogram.ts";
import type { PackedHistogram } from "../stats/packed_histogram.ts";
import { plannedCount } from "./broadcaster.ts";
import { type Combination, throughputOf } from "./explore_plan.ts";
import type { NetworkProtocol } from "./network/network.ts";
import { OneWayDelays } from "./one_way_delays.ts";
import { sizeText } from "./size_text.ts";
import type { ExploreTrial } from "./snapshot.ts";

/** The share of messages that must have arrived for a combination to be called sustained. */
export const sustainedShare = 0.999;

/** What a combination of `explore` came to: of one node's view, or of all nodes. */
export interface ExploreResult {
  readonly combination: Combination;
  readonly deliveredBytesPerSecond: number;
  /** Of what the plan asked for; NaN where it is not known. */
  readonly deliveredShare: number;
  /** Missing at the end of the trial, before the network state was dropped. */
  readonly pending: number;
  /** One-way delivery, from the intended time. */
  readonly delivery: OneWayDelays;
  /** CPU time divided by time; of several nodes on one host: their sum. */
  readonly cpuShare: number;
  readonly isSustained: boolean;
  /** Whether the trial went from its first to its last instant. */
  readonly isComplete: boolean;
}

/** Who looks at a trial. */
export interface TrialView {
  readonly protocol: NetworkProtocol;
  readonly nodeId: number;
  readonly numNodes: number;
  readonly broadcasterId: number;
  readonly runSeconds: number;
}

/** How many messages the plan asks a broadcaster for in a run. */
export function askedMessages({ heartbeatMs }: Combination, runSeconds: number): number {
  return plannedCount({ startNs: 0, endNs: runSeconds * 1e9 }, heartbeatMs * 1e6);
}

/**
 * What a trial came to as far as one node knows: the broadcaster, what it sent; another node, what
 * itself received of what the plan asks for (in `sqmr` every message goes to one node alone, so that
 * what is pending tells nothing there).
 */
export function resultHere(trial: ExploreTrial, view: TrialView): ExploreResult {
  const asked = askedMessages(trial, view.runSeconds);
  const isBroadcaster = view.nodeId === view.broadcasterId;
  const isDivided = view.protocol === "sqmr";
  const expected = isBroadcaster || !isDivided
    ? asked
    : Math.max(1, Math.floor(asked / (view.numNodes - 1)));
  const share = (isBroadcaster ? trial.broadcast.sent : trial.received) / expected;
  const pending = isBroadcaster ? trial.broadcast.queued : isDivided ? 0 : trial.pending;
  const delivery = new OneWayDelays(unpacked(trial.delivery), unpacked(trial.negativeDelivery));
  return {
    combination: trial,
    deliveredBytesPerSecond: isBroadcaster ? NaN : trial.receivedBytes / view.runSeconds,
    deliveredShare: isBroadcaster ? NaN : Math.min(1, share),
    pending,
    delivery,
    cpuShare: trial.cpuSeconds / trial.seconds,
    isSustained: trial.isComplete && share >= sustainedShare && pending === 0 &&
      trial.otherSizes === 0,
    isComplete: trial.isComplete,
  };
}

function unpacked(packed: PackedHistogram): Histogram {
  const histogram = new Histogram();
  histogram.addPacked(packed);
  return histogram;
}

/** Whether a combination was sustained as far as this node knows. */
export function isSustainedHere(trial: ExploreTrial, view: TrialView): boolean {
  return resultHere(trial, view).isSustained;
}

/** The sustained combination that asks for most; of several, the one that was tried last. */
export function highestSustained(results: readonly ExploreResult[]): ExploreResult | undefined {
  return results.filter(({ isSustained }) => isSustained).reduce<ExploreResult | undefined>(
    (best, result) =>
      best === undefined || throughputOf(result.combination) >= throughputOf(best.combination)
        ? result
        : best,
    undefined,
  );
}

const headings = [
  "size",
  "heartbeat",
  "asked",
  "delivered",
  "share",
  "pending",
  "p50",
  "p99",
  "cpu",
  "sustained",
];

/** A line for each result, and the highest sustained combination in words. */
export function exploreTable(results: readonly ExploreResult[]): string[] {
  const rows = results.map((result) => [
    sizeText(result.combination.messageBytes),
    `${result.combination.heartbeatMs} ms`,
    `${formatBytes(throughputOf(result.combination))}/s`,
    perSecond(result.deliveredBytesPerSecond),
    formatShare(result.deliveredShare),
    formatCount(result.pending),
    formatDuration(result.delivery.percentileNs(50)),
    formatDuration(result.delivery.percentileNs(99)),
    formatCores(result.cpuShare).replace(/ (?:of a core|cores)$/, ""),
    result.isSustained ? "yes" : result.isComplete ? "no" : "not whole",
  ]);
  const lines = [headings, ...rows];
  const widths = headings.map((_, column) =>
    Math.max(...lines.map((cells) => cells[column]!.length))
  );
  return [
    ...lines.map((cells) => cells.map((cell, column) => cell.padStart(widths[column]!)).join("  ")),
    highestText(results),
  ];
}

function highestText(results: readonly ExploreResult[]): string {
  const best = highestSustained(results);
  if (best === undefined) {
    return results.length === 0
      ? "no combination was tried to its end"
      : "no combination was sustained";
  }
  const { messageBytes, heartbeatMs } = best.combination;
  return `highest sustained: ${sizeText(messageBytes)} every ${heartbeatMs} ms, ` +
    `${formatBytes(throughputOf(best.combination))}/s`;
}

function perSecond(bytes: number): string {
  const text = formatBytes(bytes);
  return Number.isFinite(bytes) ? `${text}/s` : text;
}
