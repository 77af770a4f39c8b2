import { evaluate, type Expectation } from "../../stats/expectations.ts";
import {
  formatBytes,
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatShare,
} from "../../stats/figures.ts";
import type { Verdict } from "../../stats/snapshot.ts";
import { missedExpectations, verdictKind } from "../../stats/verdict.ts";
import { broadcastDropReasons, delaysOf, totalDropped } from "../snapshot.ts";
import { sizeText } from "../size_text.ts";
import type { NetworkSnapshot, NetworkTrial, NodeOutageReport } from "./snapshot.ts";

export interface NetworkJudgeSettings {
  readonly expectations: readonly Expectation<NetworkSnapshot>[];
  /** The lateness of the broadcasters that makes a run invalid. */
  readonly maxLatenessP99Ns: number;
}

/** The share of what was due that must have been sent. */
const keptPlanShare = 0.99;

/**
 * What the run proves. It is `stopped-by-limit` where no node ever reached another; `invalid` where a
 * process ended by itself, the mesh was never full, or the broadcasters did not keep their plan,
 * which comes before failed expectations. Lost messages alone are a result: an expectation can
 * make a failure of them.
 */
export function judgeNetwork(
  snapshot: NetworkSnapshot,
  { expectations, maxLatenessP99Ns }: NetworkJudgeSettings,
): Verdict {
  const isAlone = snapshot.nodes.every(({ mostPeers }) => mostPeers === 0);
  // `explore` goes until the broadcaster cannot keep up: that is its result.
  const late = snapshot.mode === "explore"
    ? []
    : [...missedPlan(snapshot), ...lateBroadcasters(snapshot, maxLatenessP99Ns)];
  if (late.length > 0) late.push(...cpuEvidence(snapshot));
  const untimed = endedInWarmup(snapshot);
  const delays = delaysOf(snapshot.histograms);
  const faults = [
    ...[...lostProcesses(snapshot), ...incompleteMesh(snapshot), ...late],
    ...(snapshot.interrupted ? [] : untimed),
    ...delays.faults(expectations.map(({ text }) => text)),
  ];
  const results = expectations.map((expectation) => evaluate(expectation, snapshot));
  const missed = missedExpectations(results);
  return {
    kind: verdictKind(isAlone, faults, missed),
    reasons: [
      ...(isAlone ? ["No node ever reached another."] : []),
      ...faults,
      ...missed,
      ...(snapshot.interrupted && snapshot.broadcast.due === 0
        ? ["Nothing was measured: the run was interrupted before the first message was due."]
        : []),
      ...(snapshot.interrupted ? untimed : []),
      ...losses(snapshot),
      ...delays.warning(),
      ...plannedOutages(snapshot),
      ...sustained(snapshot),
    ],
    expectations: results,
  };
}

function lostProcesses({ outages, numNodes }: NetworkSnapshot): string[] {
  return outages.filter(({ isPlanned }) => !isPlanned).map((
    { node, pid, downAtMs, reason, ...of },
  ) =>
    `Node ${node} of ${numNodes} (pid ${pid}) ended ${momentText(downAtMs)}: ${reason}; ` +
    `${formatCount(of.missed)} messages for it were lost, and of ${
      formatCount(of.unknown)
    } it is ` +
    `not known whether it had them.`
  );
}

/** When something happened, in milliseconds since the first message was due. */
export function momentText(ms: number): string {
  return Number.isFinite(ms) && ms >= 0
    ? `after ${formatElapsed(ms)}`
    : "before the first message was due";
}

function incompleteMesh(
  { fullMeshAfterMs, nodes, numNodes, interrupted }: NetworkSnapshot,
): string[] {
  if (Number.isFinite(fullMeshAfterMs) || interrupted) return [];
  const lonely = nodes.filter(({ peers }) => peers < numNodes - 1)
    .map(({ id, peers }) => `node ${id} had ${peers}`);
  return [
    `The network was never complete: of ${numNodes - 1} peers each, ` +
    `${lonely.length > 0 ? lonely.join(", ") : "all were connected, but not ready"}.`,
  ];
}

function endedInWarmup({ broadcast, runningMs, warmupMs }: NetworkSnapshot): string[] {
  if (broadcast.due === 0 || runningMs >= warmupMs) return [];
  return [
    `No time was measured: the run ended in its warm-up, ${formatElapsed(runningMs)} after the ` +
    `first message was due (of ${formatElapsed(warmupMs)}).`,
  ];
}

function missedPlan({ broadcast, interrupted }: NetworkSnapshot): string[] {
  const dropped = totalDropped(broadcast);
  const kept = broadcast.due - dropped;
  if (broadcast.due === 0) return interrupted ? [] : ["No message was due: nothing was measured."];
  if (kept >= keptPlanShare * broadcast.due) return [];
  const reasons = broadcastDropReasons.filter((reason) => broadcast.dropped[reason] > 0)
    .map((reason) => `${formatCount(broadcast.dropped[reason])} ${reason}`);
  return [
    `The broadcasters did not keep their plan: of ${formatCount(broadcast.due)} messages due, ` +
    `${formatCount(dropped)} were not sent (${reasons.join(", ")}).`,
  ];
}

function lateBroadcasters({ histograms, nodes }: NetworkSnapshot, maxNs: number): string[] {
  const p99Ns = histograms.lateness.percentileNs(99);
  if (!(p99Ns > maxNs)) return [];
  const worst = nodes.toSorted((a, b) => (b.latenessP99Ns || 0) - (a.latenessP99Ns || 0))[0]!;
  return [
    `The broadcasters were late: they picked 1 % of the messages up more than ` +
    `${formatDuration(p99Ns)} after they were due (allowed: ${formatDuration(maxNs)}; node ` +
    `${worst.id}: ${formatDuration(worst.latenessP99Ns)}).`,
  ];
}

/** What the nodes did with their time: their own work, or waiting for a CPU that others had. */
function cpuEvidence({ nodes }: NetworkSnapshot): string[] {
  const measured = nodes.filter(({ cpuShare }) => Number.isFinite(cpuShare));
  const busiest = measured.toSorted((a, b) => b.cpuShare - a.cpuShare)[0];
  if (busiest === undefined) return [];
  const total = measured.reduce((sum, { cpuShare }) => sum + cpuShare, 0);
  const used = `All nodes together used ${formatCores(total)}, the busiest (node ${busiest.id}) ` +
    formatCores(busiest.cpuShare);
  if (busiest.cpuShare >= 0.9) return [`${used}: it had no time left.`];
  const waited = Math.max(...measured.map(({ cpuWaitShare }) => cpuWaitShare || 0));
  return [
    `${used}; for up to ${formatShare(waited)} of the time a node was ready to run while others ` +
    `had the CPU.`,
  ];
}

function losses({ deliveries, outages, mode }: NetworkSnapshot): string[] {
  const { missed, expected } = deliveries;
  if (missed === 0 || mode === "explore") return [];
  const besides = outages.length > 0 ? " at nodes that were up" : "";
  return [
    `Of ${formatCount(expected)} deliveries, ${formatCount(missed)} ` +
    `(${formatShare(missed / expected)}) were lost${besides}.`,
  ];
}

function plannedOutages({ outages }: NetworkSnapshot): string[] {
  return outages.filter(({ isPlanned }) => isPlanned).map(outageText);
}

/** What happened to a node that the plan killed. */
export function outageText(outage: NodeOutageReport): string {
  const { node, pid, downAtMs, startedAtMs, backAtMs, firstMessageAtMs } = outage;
  const killed = `Node ${node} (pid ${pid}) was killed after ${formatElapsed(downAtMs)}`;
  const known = `It missed ${formatCount(outage.missed)} messages` +
    (outage.unknown === 0
      ? "."
      : `; of ${
        formatCount(outage.unknown)
      } that were due before, it is not known whether it had ` +
        `them.`);
  if (!Number.isFinite(startedAtMs)) return `${killed} and stayed down. ${known}`;
  const back = Number.isFinite(backAtMs)
    ? `and was back in the full mesh after ${formatElapsed(backAtMs)}: down for ` +
      formatElapsed(backAtMs - downAtMs)
    : "and never came back into the full mesh";
  const pending = Number.isFinite(outage.mostInFlight) && outage.mostInFlight > 0
    ? ` Up to ${formatCount(outage.mostInFlight)} deliveries to it were pending.`
    : "";
  const first = Number.isFinite(firstMessageAtMs)
    ? ` The first message arrived there after ${formatElapsed(firstMessageAtMs)}.`
    : "";
  return `${killed}, started again after ${
    formatElapsed(startedAtMs)
  } ${back}. ${known}${pending}` +
    first;
}

/** The highest combination that was sustained. */
function sustained({ explore }: NetworkSnapshot): string[] {
  if (explore === undefined) return [];
  const best = explore.trials.filter(({ isSustained }) => isSustained)
    .toSorted((a, b) => b.askedBytesPerSecond - a.askedBytesPerSecond)[0];
  if (best !== undefined || explore.trials.length === 0) {
    return best === undefined ? ["No combination was tried to its end."] : [bestText(best)];
  }
  return ["No combination was sustained."];
}

function bestText(trial: NetworkTrial): string {
  return `The highest sustained combination is ${sizeText(trial.messageBytes)} every ` +
    `${trial.heartbeatMs} ms: ${formatBytes(trial.askedBytesPerSecond)}/s from the broadcaster.`;
}
