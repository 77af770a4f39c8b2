import { FailureTally } from "../../stats/failure_tally.ts";
import { addSpreads, mergeOutages } from "../../stats/outage.ts";
import type { ConnectionCounts } from "../../stats/snapshot.ts";
import { addProbeHistograms, emptyProbeHistograms } from "./histograms.ts";
import { probePhases, type ProbeSnapshot, type ProbeUsage } from "./snapshot.ts";

/** One snapshot of all processes of a probe: counts and histograms are added. */
export function mergeProbeSnapshots(list: readonly ProbeSnapshot[]): ProbeSnapshot {
  const [first] = list;
  if (first === undefined) throw new RangeError("there is no snapshot to merge");
  if (list.length === 1) return first;
  const steadyMs = Math.max(...list.map((each) => each.steadyMs));
  const publications = addAll(list.map((each) => each.publications));
  const histograms = emptyProbeHistograms();
  for (const each of list) addProbeHistograms(histograms, each.histograms);
  return {
    ...first,
    clients: list.reduce((sum, each) => sum + each.clients, 0),
    publishers: list.reduce((sum, each) => sum + each.publishers, 0),
    phase: probePhases[Math.min(...list.map(({ phase }) => probePhases.indexOf(phase)))]!,
    elapsedMs: Math.max(...list.map((each) => each.elapsedMs)),
    steadyMs,
    interrupted: list.some((each) => each.interrupted),
    sessions: mergeSessions(list.map((each) => each.sessions)),
    publications,
    calls: addAll(list.map((each) => each.calls)),
    errors: addSpreads(list.map((each) => each.errors)),
    events: addAll(list.map((each) => each.events)),
    requestedRate: list.reduce((sum, each) => sum + each.requestedRate, 0),
    achievedRate: steadyMs > 0 ? publications.sent / (steadyMs / 1000) : 0,
    bytes: addAll(list.map((each) => each.bytes)),
    nodes: addSpreads(list.map((each) => each.nodes)),
    outages: mergeOutages(list.map((each) => each.outages)),
    usage: mergeUsage(list.map((each) => each.usage)),
    ends: list.flatMap((each) => each.ends),
    histograms,
  };
}

function mergeUsage(list: readonly ProbeUsage[]): ProbeUsage {
  return {
    ...addAll(list),
    busiestCpuShare: Math.max(...list.map((each) => each.busiestCpuShare)),
    steadyCpuWaitShare: list.map((each) => each.steadyCpuWaitShare)
      .reduce((longest, share) => share > longest || Number.isNaN(longest) ? share : longest),
  };
}

function mergeSessions(list: readonly ConnectionCounts[]): ConnectionCounts {
  const failures = new FailureTally();
  for (const each of list) failures.add(each.failures);
  const sum = (read: (counts: ConnectionCounts) => number) =>
    list.reduce((total, each) => total + read(each), 0);
  return {
    requested: sum((each) => each.requested),
    attempted: sum((each) => each.attempted),
    opened: sum((each) => each.opened),
    open: sum((each) => each.open),
    failed: sum((each) => each.failed),
    lost: sum((each) => each.lost),
    reopened: sum((each) => each.reopened ?? 0),
    failures: failures.counts(),
    requestedPerSecond: 0,
    achievedPerSecond: sum((each) => each.achievedPerSecond),
    openingMs: Math.max(...list.map((each) => each.openingMs ?? 0)),
  };
}

/** Objects of numbers, added field by field. */
function addAll<Counts extends object>(list: readonly Counts[]): Counts {
  const total = { ...list[0] } as Record<string, number>;
  for (const each of list.slice(1)) {
    for (const [key, value] of Object.entries(each)) total[key] = total[key]! + (value as number);
  }
  return total as Counts;
}
