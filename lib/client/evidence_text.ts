import { telltaleCounters, telltales } from "../host/kernel_counters.ts";
import type { FailureKind } from "../stats/failure.ts";
import {
  formatBytes,
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatShare,
} from "../stats/figures.ts";
import type { RampEvidence } from "./ramp_evidence.ts";

export function countOf({ failures }: RampEvidence, ...kinds: readonly FailureKind[]): number {
  return failures.filter(({ kind }) => kinds.includes(kind))
    .reduce((total, { count }) => total + count, 0);
}

export function failureOf({ failures }: RampEvidence, kind: FailureKind): string[] {
  const found = failures.find((each) => each.kind === kind);
  return found === undefined ? [] : [`${formatCount(found.count)} ${kind}: ${found.firstDetail}`];
}

export function grown({ counters }: RampEvidence, ...names: readonly string[]): number {
  return names.reduce((total, name) => total + Math.max(0, counters.get(name) ?? 0), 0);
}

/** What a message took on average; the like of the median of round trips. */
export function usualNs({ responseMeanNs, windowMs }: RampEvidence): number {
  return Number.isFinite(responseMeanNs) ? responseMeanNs : windowMs * 1e6;
}

/** What the messages took; where none was answered, they take all the time there was. */
export function slowestNs({ answered, responseP99Ns, windowMs }: RampEvidence): number {
  return answered === 0 || !Number.isFinite(responseP99Ns) ? windowMs * 1e6 : responseP99Ns;
}

/** What a reader wants to see whatever the verdict is. */
export function generalEvidence(evidence: RampEvidence): string[] {
  const { failures, ephemeral, sockets, gauges } = evidence;
  const path = pathLine(evidence);
  return [
    ...failures.map(({ kind, count, firstDetail }) =>
      `${formatCount(count)} ${kind}: ${firstDetail}`
    ),
    `messages: ${formatCount(evidence.sent)} sent, ${formatCount(evidence.answered)} answered, ` +
    `${formatCount(evidence.lost)} lost in ${formatElapsed(evidence.windowMs)}; worst second p99 ` +
    `${formatDuration(evidence.responseP99Ns)}`,
    ownCpu(evidence),
    `client: ${formatCount(evidence.openFds)} of ${formatCount(evidence.fdLimit)} file ` +
    `descriptors, ${formatCount(sockets.towardsTarget)} sockets towards the target` +
    (ephemeral === undefined
      ? ""
      : ` (ephemeral ports: ${formatCount(ephemeral.last - ephemeral.first + 1)})`) +
    `, ${formatBytes(evidence.rssBytes)} of memory, ` +
    `${formatBytes(evidence.availableMemoryBytes)} available`,
    ...(path === undefined ? [] : [path]),
    ...(gauges.conntrackCount > 0
      ? [
        `connection tracking: ${formatCount(gauges.conntrackCount)} of ` +
        `${formatCount(gauges.conntrackMax)} entries`,
      ]
      : []),
    ...counterLines(evidence, /./),
    ...serverLines(evidence),
  ];
}

export function ownCpu({ cores, cpuWaitShare, latenessP99Ns }: RampEvidence): string {
  const waited = Number.isFinite(cpuWaitShare)
    ? `, waited for a CPU ${formatShare(Math.min(1, Math.max(0, cpuWaitShare)))} of the time`
    : "";
  return `generator: ${formatCores(cores)}${waited}, picked messages up ` +
    `${formatDuration(latenessP99Ns)} late (p99)`;
}

export function pathLine({ path }: RampEvidence): string | undefined {
  if (path === undefined) return undefined;
  return `TCP of ${formatCount(path.connections)} connections: median round trip ` +
    `${formatMs(path.medianRoundTripMs)}, unacknowledged data on ` +
    `${formatShare(path.unacknowledgedShare)}`;
}

export function counterLines({ counters }: RampEvidence, names: RegExp): string[] {
  return [...telltales(counters)].filter(([name]) => names.test(name)).map(([name, change]) =>
    `kernel: ${name} +${formatCount(change)} (${telltaleCounters.get(name)})`
  );
}

export function serverLines({ server }: RampEvidence): string[] {
  if (server === undefined) return [];
  const refused = Object.entries(server.refused)
    .map(([reason, count]) => `, ${formatCount(count)} refused (${reason})`).join("");
  const cpu = Number.isFinite(server.cores) ? `, ${formatCores(server.cores)}` : "";
  const silence = server.silentMs > 1000
    ? `, statistics owed for ${formatElapsed(server.silentMs)}`
    : "";
  return [
    `server: ${formatCount(server.open)} open, ${formatCount(server.accepted)} accepted${refused}` +
    `${cpu}, ${formatCount(server.openFds)} file descriptors, ${formatBytes(server.rssBytes)} of ` +
    `memory${silence}${server.failure === undefined ? "" : `; ${server.failure}`}`,
    ...server.failures.map(({ kind, count, firstDetail }) =>
      `server: ${formatCount(count)} ${kind}: ${firstDetail}`
    ),
  ];
}

export function formatMs(ms: number): string {
  return formatDuration(ms * 1e6);
}

export function whatWasSeen(evidence: RampEvidence): string {
  const { failed, closed, lost, answered } = evidence;
  const parts = [
    ...(failed > 0 ? [`${formatCount(failed)} connects failed`] : []),
    ...(closed > 0 ? [`${formatCount(closed)} connections ended`] : []),
    ...(lost > 0 ? [`${formatCount(lost)} messages were lost`] : []),
    `${formatCount(answered)} were answered, p99 ${formatDuration(evidence.responseP99Ns)}`,
  ];
  return `What was seen: ${parts.join(", ")}.`;
}
