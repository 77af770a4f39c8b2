import { difference, type KernelCounters } from "../host/kernel_counters.ts";
import { availableMemoryBytes, type EphemeralPorts, ephemeralPorts } from "../host/limits.ts";
import { fdLimits } from "../host/libc.ts";
import { type NetworkGauges, readNetworkGauges } from "../host/network_gauges.ts";
import {
  type PathSample,
  readTargetSockets,
  samplePaths,
  type TargetSockets,
} from "../host/target_sockets.ts";

import type { Knee } from "../stats/ramp.ts";
import type {
  ClientHistograms,
  ClientSnapshot,
  FailureCount,
  MessageCounts,
  ServerSnapshot,
} from "../stats/snapshot.ts";
import type { Endpoint, Scheme } from "../transport/endpoint.ts";
import type { ServerStats } from "./server_stats.ts";

/** What was known at the end of a second; two of them make the change of a span. */
export interface RampSample {
  /** After the start of the run. */
  readonly atMs: number;
  readonly failures: readonly FailureCount[];
  readonly opened: number;
  readonly failed: number;
  readonly lostUnused: number;
  readonly closed: number;
  readonly messages: MessageCounts;
  readonly bytesReceived: number;
  readonly cpuSeconds: number;
  readonly cpuWaitSeconds: number;
  readonly rssBytes: number;
  readonly openFds: number;
  readonly latenessP99Ns: number;
  readonly responseP99Ns: number;
  /** Of all answers of the second. */
  readonly responseSumNs: number;
  readonly responses: number;
  readonly counters: KernelCounters;
  readonly server: ServerSnapshot | undefined;
}

/** The server's side of the story. */
export interface ServerEvidence {
  /** Newly refused connections, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  readonly failures: readonly FailureCount[];
  readonly accepted: number;
  readonly open: number;
  /** CPU in use; NaN where it did not answer in between. */
  readonly cores: number;
  readonly rssBytes: number;
  readonly openFds: number;
  /** For how long it has owed its statistics. */
  readonly silentMs: number;
  /** Why they cannot be read any more. */
  readonly failure: string | undefined;
}

/** Everything that was seen while a ramp broke: the second of the knee and those after it. */
export interface RampEvidence {
  readonly scheme: Scheme;
  readonly target: string;
  /** The target is an address of this host (or network namespace). */
  readonly isLocal: boolean;
  readonly knee: Knee;
  readonly windowMs: number;
  /** Of the window, most frequent first. */
  readonly failures: readonly FailureCount[];
  readonly opened: number;
  /** Attempts that failed, and connections that ended before anything was answered. */
  readonly failed: number;
  readonly turnedAway: number;
  readonly closed: number;
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  readonly receivedPerSecond: number;
  /** The worst second's. */
  readonly responseP99Ns: number;
  /** The lowest bound on response times that would break the ramp. */
  readonly responseBoundNs: number;
  /** Of all answers of the window; NaN where none came. */
  readonly responseMeanNs: number;
  readonly latenessP99Ns: number;
  readonly maxLatenessP99Ns: number;
  /** CPU in use and share of the time waited for one, per process that generates; NaN: not known. */
  readonly cores: number;
  readonly cpuWaitShare: number;
  readonly rssBytes: number;
  readonly availableMemoryBytes: number;
  /** What the counters of this namespace have grown by. */
  readonly counters: KernelCounters;
  readonly gauges: NetworkGauges;
  readonly openFds: number;
  readonly fdLimit: number;
  readonly ephemeral: EphemeralPorts | undefined;
  readonly sockets: TargetSockets;
  readonly path: PathSample | undefined;
  readonly server: ServerEvidence | undefined;
}

/** Takes down what the end of a second shows. */
export function sampleOf(
  atMs: number,
  snapshot: ClientSnapshot,
  { lateness, response }: ClientHistograms,
  counters: KernelCounters,
  server: ServerSnapshot | undefined,
): RampSample {
  const { connections, messages, generator, bytes, steadyMs } = snapshot;
  const lostUnused = connections.lostUnused ?? 0;
  return {
    atMs,
    failures: connections.failures,
    opened: connections.opened,
    failed: connections.failed,
    lostUnused,
    closed: connections.lost - lostUnused,
    messages,
    bytesReceived: bytes.received,
    // Since the ramp began, which is when the measured phase did.
    cpuSeconds: generator.steadyCpuShare * steadyMs / 1000,
    cpuWaitSeconds: generator.steadyCpuWaitShare * steadyMs / 1000,
    rssBytes: generator.rssBytes,
    openFds: generator.openFds,
    latenessP99Ns: lateness.percentileNs(99),
    responseP99Ns: response.percentileNs(99),
    responseSumNs: response.sumNs,
    responses: response.count,
    counters,
    server,
  };
}

export interface GatherSettings {
  readonly endpoint: Endpoint;
  /** The target is an address of this host (or network namespace). */
  readonly isLocal: boolean;
  readonly maxLatenessP99Ns: number;
  readonly responseBoundNs: number;
  /** Processes that generate load. */
  readonly processes: number;
}

/**
 * Puts together what was seen since the knee, without the server's side of it. Reads the kernel's tables of sockets: about 2 µs for
 * each of the namespace.
 *
 * @param samples of the start and of the seconds until now, oldest first.
 */
export function gatherEvidence(
  knee: Knee,
  samples: readonly RampSample[],
  { endpoint, isLocal, maxLatenessP99Ns, responseBoundNs, processes }: GatherSettings,
): RampEvidence {
  const now = samples.at(-1)!;
  const within = samples.filter(({ atMs }) => atMs > knee.atMs + 1);
  const before = lastBefore(knee, samples);
  const seconds = Math.max(1e-3, (now.atMs - before.atMs) / 1000);
  const turnedAway = now.lostUnused - before.lostUnused;
  const lossOf = ({ messages: { lost } }: RampSample) =>
    lost.timeout + lost.closed + lost.corrupted;
  const worst = (of: (sample: RampSample) => number) => {
    const known = within.map(of).filter(Number.isFinite);
    return known.length === 0 ? NaN : Math.max(...known);
  };
  const ports = { first: endpoint.port, last: endpoint.lastPort };
  const isUdp = endpoint.scheme === "udp" || endpoint.scheme === "quic";
  return {
    scheme: endpoint.scheme,
    target: `${endpoint.host}:${endpoint.port}`,
    isLocal,
    knee,
    windowMs: now.atMs - before.atMs,
    failures: failuresBetween(before.failures, now.failures),
    opened: Math.max(0, now.opened - before.opened - turnedAway),
    failed: now.failed - before.failed + turnedAway,
    turnedAway,
    closed: now.closed - before.closed,
    sent: now.messages.sent - before.messages.sent,
    answered: now.messages.answered - before.messages.answered,
    lost: lossOf(now) - lossOf(before),
    receivedPerSecond: (now.bytesReceived - before.bytesReceived) / seconds,
    responseP99Ns: worst(({ responseP99Ns }) => responseP99Ns),
    responseBoundNs,
    responseMeanNs: meanOf(within),
    latenessP99Ns: worst(({ latenessP99Ns }) => latenessP99Ns),
    maxLatenessP99Ns,
    cores: (now.cpuSeconds - before.cpuSeconds) / seconds / processes,
    cpuWaitShare: (now.cpuWaitSeconds - before.cpuWaitSeconds) / seconds / processes,
    rssBytes: now.rssBytes,
    availableMemoryBytes: availableMemoryBytes(),
    counters: difference(before.counters, now.counters),
    gauges: readNetworkGauges(),
    openFds: now.openFds,
    fdLimit: fdLimits().soft * processes,
    ephemeral: ephemeralPorts(),
    sockets: readTargetSockets(isUdp ? "udp" : "tcp", ports),
    path: isUdp ? undefined : samplePaths(ports, now.openFds),
    server: undefined,
  };
}

function meanOf(within: readonly RampSample[]): number {
  const count = within.reduce((total, { responses }) => total + responses, 0);
  const sumNs = within.reduce((total, { responseSumNs }) => total + responseSumNs, 0);
  return count > 0 ? sumNs / count : NaN;
}

function lastBefore({ atMs: kneeMs }: Knee, samples: readonly RampSample[]): RampSample {
  return samples.findLast(({ atMs }) => atMs <= kneeMs + 1) ?? samples[0]!;
}

/** What there is before the first connection. */
export function startSample(
  counters: KernelCounters,
  server: ServerSnapshot | undefined,
): RampSample {
  return {
    atMs: 0,
    rssBytes: NaN,
    openFds: NaN,
    latenessP99Ns: NaN,
    responseP99Ns: NaN,
    responseSumNs: 0,
    responses: 0,
    counters,
    server,
    failures: [],
    opened: 0,
    failed: 0,
    lostUnused: 0,
    closed: 0,
    messages: {
      due: 0,
      sent: 0,
      answered: 0,
      lost: { timeout: 0, closed: 0, corrupted: 0, unanswered: 0 },
      inFlight: 0,
      queued: 0,
      unsent: { noConnection: 0, heldBack: 0, generatorLate: 0 },
    },
    bytesReceived: 0,
    cpuSeconds: 0,
    cpuWaitSeconds: 0,
  };
}

/** Failures of a span, by kind. */
function failuresBetween(
  before: readonly FailureCount[],
  after: readonly FailureCount[],
): FailureCount[] {
  return after
    .map((now) => ({
      ...now,
      count: now.count - (before.find(({ kind }) => kind === now.kind)?.count ?? 0),
    }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count);
}

/** What the server says of the time since the knee; undefined where its statistics are not read. */
export function serverEvidence(
  knee: Knee,
  samples: readonly RampSample[],
  stats: ServerStats | undefined,
): ServerEvidence | undefined {
  const now = stats?.latest;
  if (stats === undefined || now === undefined) return undefined;
  const start = lastBefore(knee, samples).server ?? now;
  const seconds = (now.elapsedMs - start.elapsedMs) / 1000;
  const cpu = ({ process }: ServerSnapshot) => process.cpuUserSeconds + process.cpuSystemSeconds;
  const refused = Object.entries(now.total.refused)
    .map(([reason, count]) => [reason, count - (start.total.refused[reason] ?? 0)] as const)
    .filter(([, count]) => count > 0);
  return {
    refused: Object.fromEntries(refused),
    failures: failuresBetween(start.total.failures, now.total.failures),
    accepted: now.total.accepted - start.total.accepted,
    open: now.total.open,
    cores: seconds > 0.5 ? (cpu(now) - cpu(start)) / seconds : NaN,
    rssBytes: now.process.rssBytes,
    openFds: now.process.openFds,
    silentMs: stats.silentMs,
    failure: stats.failure,
  };
}
