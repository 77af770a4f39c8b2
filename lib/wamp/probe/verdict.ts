import { type ExitCode, exitCodes } from "../../errors.ts";
import { evaluate, type Expectation } from "../../stats/expectations.ts";
import {
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatRate,
  formatShare,
} from "../../stats/figures.ts";
import { outageReasons } from "../../stats/outage_reasons.ts";
import type { Verdict } from "../../stats/snapshot.ts";
import { exitCodeOf, missedExpectations, verdictKind } from "../../stats/verdict.ts";
import { lostOf, type ProbeSnapshot } from "./snapshot.ts";

/** The share of its plan that the probe must keep. */
const minAchievedShare = 0.99;
/** From here on a process had no time left. */
const saturatedShare = 0.95;

/**
 * What a run of the probe proves: `invalid` where the probe itself was late, `stopped-by-limit` where
 * no session could be opened.
 */
export function judgeProbe(
  snapshot: ProbeSnapshot,
  expectations: readonly Expectation<ProbeSnapshot>[],
  maxLatenessP99Ns: number,
): Verdict {
  const stop = withoutSessions(snapshot);
  const faults = [...endedProcesses(snapshot), ...late(snapshot, maxLatenessP99Ns)];
  const results = expectations.map((expectation) => evaluate(expectation, snapshot));
  const missed = missedExpectations(results);
  return {
    kind: verdictKind(stop !== undefined, faults, missed),
    reasons: [
      ...(stop === undefined ? [] : [stop]),
      ...faults,
      ...missed,
      ...(stop === undefined ? whatRoutersDid(snapshot) : []),
    ],
    expectations: results,
  };
}

/** @returns 4 where the routers left the run without a session. */
export function probeExitCode({ verdict, interrupted }: ProbeSnapshot): ExitCode {
  if (interrupted || verdict?.kind !== "stopped-by-limit") return exitCodeOf(verdict, interrupted);
  return exitCodes.targetUnreachable;
}

function withoutSessions({ sessions }: ProbeSnapshot): string | undefined {
  if (sessions.opened > 0 || sessions.attempted === 0) return undefined;
  const [first] = sessions.failures;
  const why = first === undefined ? "" : ` (${first.firstDetail})`;
  return `None of ${formatCount(sessions.requested)} sessions could be opened${why}.`;
}

function endedProcesses({ ends, clients }: ProbeSnapshot): string[] {
  return ends.map(({ number, pid, atMs, reason, connections }) =>
    `Process ${number} of ${clients} (pid ${pid}) ended after ${formatElapsed(atMs)}: ${reason}; ` +
    `${formatCount(connections)} sessions were lost with it.`
  );
}

function late(snapshot: ProbeSnapshot, maxLatenessP99Ns: number): string[] {
  const { publications, histograms, usage } = snapshot;
  const { due, generatorLate } = publications;
  const reasons: string[] = [];
  if (due > 0 && 1 - generatorLate / due < minAchievedShare) {
    reasons.push(
      `The probe did not keep its plan: it did not get to ${formatCount(generatorLate)} of ` +
        `${formatCount(due)} publications (${formatShare(generatorLate / due)}).`,
    );
  }
  const p99Ns = histograms.lateness.percentileNs(99);
  if (p99Ns > maxLatenessP99Ns) {
    reasons.push(
      `The probe was late: it picked 1 % of the publications up more than ` +
        `${formatDuration(p99Ns)} after they were due (allowed: ` +
        `${formatDuration(maxLatenessP99Ns)}; worst: ${
          formatDuration(histograms.lateness.maxNs)
        }).`,
    );
  }
  if (reasons.length === 0) return [];
  return [...reasons, cpuEvidence(usage)];
}

function cpuEvidence({ busiestCpuShare, steadyCpuWaitShare }: ProbeSnapshot["usage"]): string {
  const used = `Its busiest process used ${formatCores(busiestCpuShare)}`;
  if (busiestCpuShare >= saturatedShare) return `${used}: it had no time left; use more --clients.`;
  if (!Number.isFinite(steadyCpuWaitShare)) return `${used}.`;
  return `${used}, and one was ready to run for ${
    formatShare(Math.min(1, steadyCpuWaitShare))
  } of ` +
    `the time while other processes had the CPU.`;
}

/** What the routers did, which is a result. */
function whatRoutersDid(snapshot: ProbeSnapshot): string[] {
  const { publications, calls, events, sessions, errors, outages } = snapshot;
  const reasons: string[] = [];
  const { achievedRate, requestedRate, isOpenLoop, steadyMs } = snapshot;
  if (steadyMs > 0 && achievedRate < minAchievedShare * requestedRate) {
    reasons.push(
      `${formatRate(achievedRate)} publications of ${formatRate(requestedRate)} were achieved` +
        (isOpenLoop
          ? "."
          : ": a publisher goes on when the answers of its last iteration have come (see " +
            "--open-loop)."),
    );
  }
  const lost = lostOf(publications) + publications.refused;
  if (lost > 0) {
    reasons.push(
      `${formatCount(lost)} of ${formatCount(publications.sent)} publications were not ` +
        `acknowledged.`,
    );
  }
  const failed = lostOf(calls) + calls.refused;
  if (failed > 0) {
    const uris = Object.entries(errors).map(([uri, count]) => `${formatCount(count)} ${uri}`);
    reasons.push(
      `${formatCount(failed)} of ${formatCount(calls.sent)} calls failed` +
        `${uris.length > 0 ? ` (${uris.join(", ")})` : ""}.`,
    );
  }
  if (events.lost > 0) {
    reasons.push(
      `${
        formatCount(events.lost)
      } events of acknowledged publications did not reach a subscriber ` +
        `that was connected.`,
    );
  }
  if (events.duplicated > 0) reasons.push(`${formatCount(events.duplicated)} events came twice.`);
  if (events.outOfOrder > 0) {
    reasons.push(
      `${formatCount(events.outOfOrder)} events came after a later one of their publisher.`,
    );
  }
  const never = sessions.requested - (sessions.opened - (sessions.reopened ?? 0));
  if (never > 0) {
    reasons.push(
      `${formatCount(never)} of ${formatCount(sessions.requested)} sessions never opened.`,
    );
  }
  return [...reasons, ...outageReasons(outages)];
}
