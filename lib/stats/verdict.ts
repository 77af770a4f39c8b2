import { type ExitCode, exitCodes } from "../errors.ts";
import { evaluate, type Expectation } from "./expectations.ts";
import type { FailureKind } from "./failure.ts";
import { adviceFor } from "./failure_advice.ts";
import {
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatRate,
  formatShare,
} from "./figures.ts";
import { outageReasons } from "./outage_reasons.ts";
import type { ClientSnapshot, ExpectationResult, Verdict, VerdictKind } from "./snapshot.ts";
import { withoutAnswers, withoutConnections } from "./stop_reason.ts";

export interface JudgeSettings {
  readonly expectations: readonly Expectation[];
  /** The lateness of the generator that makes a run invalid, in nanoseconds; Infinity: any. */
  readonly maxLatenessP99Ns: number;
  /** The share of its plan that the generator must keep; 0.99 when left out. */
  readonly minAchievedShare?: number;
  /** Further limits of this host that were met, in one sentence each. */
  readonly hostFaults?: readonly string[];
}

/** Opening may be a tenth slower than requested before anybody is blamed for it. */
const minConnectRateShare = 0.9;

/** Below this, timers and scheduling of the host explain a delay. */
const connectGraceMs = 250;

/**
 * What the run proves.
 *
 * It is `stopped-by-limit` where the target, or this host, left it without any connection. It is
 * `invalid` where the generator, and not the target, is what kept it from its plan; that comes before
 * failed expectations, whose figures would then mean nothing. Where the target held the generator
 * up, that is the result: the run stays valid, and a reason says so. A target that answers nothing
 * stops the run too, unless expectations were given, which can be about just that.
 */
export function judge(snapshot: ClientSnapshot, settings: JudgeSettings): Verdict {
  const ended = endedWorkers(snapshot);
  const late = [
    ...missedMessages(snapshot, settings.minAchievedShare ?? 0.99),
    ...lateGenerator(snapshot, settings.maxLatenessP99Ns),
  ];
  if (late.length > 0) late.push(...cpuEvidence(snapshot));
  const stop = withoutConnections(snapshot);
  // The reason of a stop by this host names its limit already.
  const host = stop?.isOfHost === true
    ? []
    : [...hostLimits(snapshot), ...settings.hostFaults ?? []];
  const faults = [...ended, ...late, ...lateConnects(snapshot), ...host];
  const unanswered = stop === undefined ? withoutAnswers(snapshot) : undefined;
  const expectations = settings.expectations.map((expectation) => evaluate(expectation, snapshot));
  const missed = missedExpectations(expectations);
  const isStopped = (stop !== undefined && ended.length === 0) ||
    (unanswered !== undefined && faults.length === 0 && expectations.length === 0);
  return {
    kind: verdictKind(isStopped, faults, missed),
    reasons: [
      ...(stop === undefined ? [] : [stop.reason]),
      ...faults,
      ...(unanswered === undefined ? [] : [unanswered]),
      ...missed,
      ...(stop === undefined && host.length === 0 ? lostConnections(snapshot) : []),
      ...outageReasons(snapshot.outages),
      ...slowTarget(snapshot),
      ...closedLoop(snapshot),
    ],
    expectations,
  };
}

/**
 * What a run proves that was judged so.
 *
 * @param isStopped there was nothing to measure.
 * @param faults why the figures mean nothing, and so neither does what was expected of them.
 * @param missed expectations that did not hold.
 */
export function verdictKind(
  isStopped: boolean,
  faults: readonly string[],
  missed: readonly string[],
): VerdictKind {
  if (isStopped) return "stopped-by-limit";
  if (faults.length > 0) return "invalid";
  return missed.length > 0 ? "expectation-failed" : "ok";
}

/** Which expectations hold, and nothing else: for runs that were judged already. */
export function judgeExpectations(
  snapshot: ClientSnapshot,
  expectations: readonly Expectation[],
): Verdict {
  const results = expectations.map((expectation) => evaluate(expectation, snapshot));
  const missed = missedExpectations(results);
  return { kind: verdictKind(false, [], missed), reasons: missed, expectations: results };
}

/** The expectations that did not hold, in one sentence; none where all held. */
export function missedExpectations(results: readonly ExpectationResult[]): string[] {
  const failed = results.filter((result) => !result.passed);
  if (failed.length === 0) return [];
  const failures = failed.map(({ expectation, measured }) => `${expectation}: ${measured}`);
  return [
    `${failed.length} of ${results.length} expectations failed (${failures.join("; ")}).`,
  ];
}

/**
 * The exit code of a run that reached its report. Unreachable targets and host limits that leave
 * nothing to report are errors of their own.
 */
export function exitCodeOf(verdict: Verdict | undefined, interrupted: boolean): ExitCode {
  if (interrupted) return exitCodes.interrupted;
  switch (verdict?.kind) {
    case "invalid":
      return exitCodes.invalidRun;
    case "expectation-failed":
      return exitCodes.expectationFailed;
    default:
      return exitCodes.ok;
  }
}

/** Only what the generator did not get to counts here, not what the target or its absence held up. */
function missedMessages(snapshot: ClientSnapshot, minAchievedShare: number): string[] {
  const { due, unsent } = snapshot.steady;
  if (due === 0 || 1 - unsent.generatorLate / due >= minAchievedShare) return [];
  const { requestedRate, achievedRate } = snapshot;
  return [
    `The generator did not keep its plan: ${formatRate(requestedRate)} requested, ` +
    `${formatRate(achievedRate)} achieved; it did not get to ` +
    `${formatCount(unsent.generatorLate)} of ${formatCount(due)} messages ` +
    `(${formatShare(unsent.generatorLate / due)}). Lower --rate, or use a faster host.`,
  ];
}

function lateGenerator(snapshot: ClientSnapshot, maxLatenessP99Ns: number): string[] {
  const { lateness } = snapshot.histograms;
  const p99Ns = lateness.percentileNs(99);
  if (!(p99Ns > maxLatenessP99Ns)) return [];
  return [
    `The generator was late: it picked 1 % of the messages up more than ${formatDuration(p99Ns)} ` +
    `after they were due (allowed: ${formatDuration(maxLatenessP99Ns)}; worst: ` +
    `${formatDuration(lateness.maxNs)}).`,
  ];
}

/**
 * Whether the generator was late to attempt connections. A slow target can put the last open off by
 * at most the longest connect time; what goes beyond it is the generator's own. Where connections
 * failed or were opened again, the time to the last open proves nothing.
 */
function lateConnects({ connections, histograms }: ClientSnapshot): string[] {
  const { attempted, requested, opened, lost, failed } = connections;
  const { requestedPerSecond, achievedPerSecond } = connections;
  const comparable = opened > 1 && failed === 0 && lost === 0 && attempted <= requested;
  if (!comparable || !(requestedPerSecond > 0) || !(achievedPerSecond > 0)) return [];
  if (achievedPerSecond >= minConnectRateShare * requestedPerSecond) return [];
  const plannedMs = (opened / requestedPerSecond) * 1000;
  const neededMs = (opened / achievedPerSecond) * 1000;
  const slowestMs = histograms.connect.count === 0 ? 0 : histograms.connect.maxNs / 1e6;
  const allowedMs = plannedMs / minConnectRateShare + slowestMs + connectGraceMs;
  if (!(neededMs > allowedMs)) return [];
  return [
    `The generator opened connections too slowly: ${formatRate(requestedPerSecond)} requested, ` +
    `${formatRate(achievedPerSecond)} achieved; ${formatCount(opened)} connections took ` +
    `${formatElapsed(neededMs)} instead of ${formatElapsed(plannedMs)}, and the slowest connect ` +
    `(${formatDuration(histograms.connect.maxNs)}) does not explain it. Lower --connect-rate.`,
  ];
}

/**
 * Connections that did not hold, where nobody opened them again: a result, which an expectation about
 * `connections.lost` or `connections.failed` may turn into a failure.
 */
function lostConnections({ connections, outages, ramp, workers = [] }: ClientSnapshot): string[] {
  const { requested, failed, lost } = connections;
  const ofWorkers = workers.flatMap(({ ends }) => ends).length > 0;
  if (outages !== undefined || ramp !== undefined || ofWorkers || failed + lost === 0) return [];
  const fates = [
    ...(failed > 0 ? [`${formatCount(failed)} could not be opened`] : []),
    ...(lost > 0 ? [`${formatCount(lost)} ended before the run did`] : []),
  ];
  return [`Of ${formatCount(requested)} connections, ${fates.join(", and ")}.`];
}

/** Workers that ended took their connections and messages with them, whatever the target did. */
function endedWorkers({ workers = [] }: ClientSnapshot): string[] {
  return workers.flatMap(({ number, ends }) =>
    ends.map(({ pid, atMs, reason, connections, messages }) =>
      `Worker ${number} of ${workers.length} (pid ${pid}) ended after ${formatElapsed(atMs)}: ` +
      `${reason}; ${formatCount(connections)} open connections and ${formatCount(messages)} ` +
      `messages in flight were lost with it.`
    )
  );
}

/** What the generator did with its time: its own work, or waiting for a CPU that others had. */
function cpuEvidence({ generator, steadyMs, workers = [] }: ClientSnapshot): string[] {
  // One process is the limit, however many there are: the busiest of them.
  const busiest = workers.toSorted((a, b) => (b.steadyCpuShare ?? 0) - (a.steadyCpuShare ?? 0))[0];
  const { steadyCpuShare = NaN, steadyCpuWaitShare = NaN } = busiest ?? generator;
  if (!(steadyMs > 0) || !Number.isFinite(steadyCpuShare)) return [];
  const who = busiest === undefined
    ? "The generator"
    : `The busiest worker (${busiest.number} of ${workers.length})`;
  const used = `${who} used ${formatCores(steadyCpuShare)}`;
  if (steadyCpuShare >= 0.9) return [`${used}: it had no time left.`];
  if (Number.isFinite(steadyCpuWaitShare)) {
    return [
      `${used}, and for ${formatShare(steadyCpuWaitShare)} of the time it was ready to run while ` +
      `other threads had the CPU.`,
    ];
  }
  return [`${used}: other processes on this host may have kept it from running.`];
}

const hostResources: Partial<Record<FailureKind, string>> = {
  "host-fds": "file descriptors",
  "host-ports": "source ports",
  "host-memory": "memory for sockets",
};

/** Connections that this host refused say nothing about the target. */
function hostLimits({ connections }: ClientSnapshot): string[] {
  return connections.failures.flatMap(({ kind, count, firstAtMs, firstDetail }) => {
    const resource = hostResources[kind];
    if (resource === undefined) return [];
    return [
      `This host ran out of ${resource} for ${formatCount(count)} connections, first after ` +
      `${formatElapsed(firstAtMs)} (${firstDetail}); ${adviceFor(kind, firstDetail)}.`,
    ];
  });
}

/** What held the plan up without being the generator's fault. */
function slowTarget(snapshot: ClientSnapshot): string[] {
  const { steady, histograms, generator } = snapshot;
  const reasons: string[] = [];
  const scheduleP99Ns = histograms.scheduleError.percentileNs(99);
  const latenessP99Ns = histograms.lateness.percentileNs(99);
  const sendsWaited = generator.heldBackSends > 0 && scheduleP99Ns > 1e6 &&
    scheduleP99Ns > 4 * latenessP99Ns;
  if (sendsWaited || steady.unsent.heldBack > 0) {
    const facts = [
      ...(generator.heldBackSends > 0 ? [`${formatCount(generator.heldBackSends)} waited`] : []),
      ...(steady.unsent.heldBack > 0
        ? [
          `${formatCount(steady.unsent.heldBack)} (${
            formatShare(steady.unsent.heldBack / steady.due)
          } of those due) were never sent`,
        ]
        : []),
    ];
    reasons.push(
      `The target held sends back by taking no more bytes: ${facts.join(", ")}; schedule error ` +
        `p99 ${formatDuration(scheduleP99Ns)}, of which the generator's own lateness is p99 ` +
        `${formatDuration(latenessP99Ns)}.`,
    );
  }
  if (steady.unsent.noConnection > 0) {
    reasons.push(
      `${formatCount(steady.unsent.noConnection)} messages ` +
        `(${formatShare(steady.unsent.noConnection / steady.due)} of those due) were not sent, ` +
        (snapshot.arrivals === "interval"
          ? "because their connections were down."
          : "because no connection was open."),
    );
  }
  return reasons;
}

function closedLoop({ arrivals }: ClientSnapshot): string[] {
  if (arrivals !== "inflight") return [];
  return [
    "This is a closed loop (--inflight): a slow answer puts off the messages after it, so these " +
    "percentiles leave out the waiting that an open loop (--rate) would have seen.",
  ];
}
