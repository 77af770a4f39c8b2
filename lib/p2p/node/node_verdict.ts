import { evaluate, type Expectation } from "../../stats/expectations.ts";
import {
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatShare,
} from "../../stats/figures.ts";
import type { Verdict } from "../../stats/snapshot.ts";
import { missedExpectations, verdictKind } from "../../stats/verdict.ts";
import { isBroadcasting } from "../mode.ts";
import { broadcastDropReasons, delaysOf, type NodeSnapshot } from "../snapshot.ts";

export interface NodeJudgeSettings {
  readonly expectations: readonly Expectation<NodeSnapshot>[];
  /** The lateness of the broadcaster that makes a run invalid, in nanoseconds; Infinity: any. */
  readonly maxLatenessP99Ns: number;
}

/** The share of what was due that must have been sent. */
const keptPlanShare = 0.99;

/**
 * What a node's run proves. It is `stopped-by-limit` where no peer was ever reached; `invalid` where
 * the broadcaster did not keep its plan, which comes before failed expectations. `explore` goes on
 * until a broadcaster cannot keep up: there, that is the result.
 */
export function judgeNode(
  snapshot: NodeSnapshot,
  { expectations, maxLatenessP99Ns }: NodeJudgeSettings,
): Verdict {
  const isAlone = snapshot.mostPeers === 0 && snapshot.numNodes > 1;
  const faults = snapshot.mode === "explore"
    ? []
    : [...missedPlan(snapshot), ...lateBroadcaster(snapshot, maxLatenessP99Ns)];
  if (faults.length > 0) faults.push(...cpuEvidence(snapshot));
  const untimed = endedInWarmup(snapshot);
  if (!snapshot.interrupted) faults.push(...untimed);
  const delays = delaysOf(snapshot.histograms);
  faults.push(...delays.faults(expectations.map(({ text }) => text)));
  const results = expectations.map((expectation) => evaluate(expectation, snapshot));
  const missed = missedExpectations(results);
  return {
    kind: verdictKind(isAlone, faults, missed),
    reasons: [
      ...(isAlone
        ? [
          `None of ${formatCount(snapshot.numNodes - 1)} peers was ever reached${dials(snapshot)}.`,
        ]
        : faults),
      ...missed,
      ...(snapshot.interrupted ? untimed : []),
      ...(isAlone ? [] : [...missingPeers(snapshot), ...restarts(snapshot), ...clock(snapshot)]),
      ...delays.warning(),
    ],
    expectations: results,
  };
}

function dials({ events }: NodeSnapshot): string {
  return events.dial_failure === 0
    ? ""
    : `; ${
      formatCount(events.dial_failure)
    } dials failed: check --bootstrap, and that the others run`;
}

function missedPlan(
  { broadcast, mode, nodeId, broadcaster, interrupted }: NodeSnapshot,
): string[] {
  const { due, sent, queued, dropped } = broadcast;
  if (due === 0) {
    return interrupted || !isBroadcasting(mode, nodeId, broadcaster)
      ? []
      : ["No message of this node was due: it measured nothing that it was to send."];
  }
  if (sent + queued >= keptPlanShare * due) return [];
  const reasons = broadcastDropReasons.filter((reason) => dropped[reason] > 0)
    .map((reason) => `${formatCount(dropped[reason])} ${reason}`);
  return [
    `The broadcaster did not keep its plan: of ${formatCount(due)} messages due, ` +
    `${formatCount(sent)} (${formatShare(sent / due)}) were sent; dropped: ${reasons.join(", ")}.`,
  ];
}

function endedInWarmup({ warmupMs, running, broadcast, received }: NodeSnapshot): string[] {
  if (warmupMs === 0 || running.seconds > 0 || broadcast.due + received.messages === 0) return [];
  return [
    `No time was measured: the run ended in its warm-up of ${formatElapsed(warmupMs)}.`,
  ];
}

function lateBroadcaster({ histograms }: NodeSnapshot, maxNs: number): string[] {
  const { lateness } = histograms;
  const p99Ns = lateness.percentileNs(99);
  if (!(p99Ns > maxNs)) return [];
  return [
    `The broadcaster was late: it picked 1 % of the messages up more than ` +
    `${formatDuration(p99Ns)} after they were due (allowed: ${formatDuration(maxNs)}; worst: ` +
    `${formatDuration(lateness.maxNs)}).`,
  ];
}

/** What the node did with its time: its own work, or waiting for a CPU that others had. */
function cpuEvidence({ running }: NodeSnapshot): string[] {
  const { cpuShare, cpuWaitShare } = running;
  if (!Number.isFinite(cpuShare)) return [];
  const used = `The node used ${formatCores(cpuShare)}`;
  if (cpuShare >= 0.9) return [`${used}: it had no time left.`];
  if (!Number.isFinite(cpuWaitShare)) return [`${used}.`];
  return [
    `${used}, and for ${formatShare(cpuWaitShare)} of the time it was ready to run while others ` +
    `had the CPU.`,
  ];
}

function missingPeers({ mostPeers, numNodes }: NodeSnapshot): string[] {
  if (mostPeers >= numNodes - 1) return [];
  return [
    `The mesh was never full: at most ${formatCount(mostPeers)} of ${formatCount(numNodes - 1)} ` +
    `peers were connected.`,
  ];
}

function restarts({ senders }: NodeSnapshot): string[] {
  return senders.filter(({ restarts }) => restarts > 0).map(({ sender, restarts, pending }) =>
    `Node ${sender} was restarted ${restarts === 1 ? "once" : `${restarts} times`}; ` +
    `${formatCount(pending)} of its messages are pending.`
  );
}

function clock({ clockSteps }: NodeSnapshot): string[] {
  if (clockSteps.count === 0) return [];
  return [
    `The clock of this host was set ${
      clockSteps.count === 1 ? "once" : `${clockSteps.count} times`
    }` +
    ` (last by ${formatDuration(clockSteps.lastNs)}): one-way delays across it are wrong by that.`,
  ];
}
