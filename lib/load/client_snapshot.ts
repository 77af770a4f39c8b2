import { nowNs } from "../stats/clock.ts";
import { readProcessUsage } from "../stats/process_usage.ts";
import {
  type ClientSnapshot,
  type ConnectionCounts,
  type RunIdentity,
  schemaVersion,
  type Verdict,
} from "../stats/snapshot.ts";
import type { LoadGenerator } from "./load_generator.ts";
import { messageCounts } from "./message_counters.ts";
import { wholeOf } from "./share.ts";

/** What a snapshot says beside the measurement. */
export interface SnapshotContext {
  readonly run: RunIdentity;
  readonly endpoint: string;
  readonly verdict?: Verdict;
}

/** All that is known of a run at this instant. */
export function clientSnapshot(
  generator: LoadGenerator,
  context: SnapshotContext,
): ClientSnapshot {
  const { settings, ledger, codec, meter, recorder } = generator;
  const { outages, servers } = generator.upkeep;
  const atNs = Math.min(nowNs(), generator.times.doneNs);
  const steadyNs = Math.max(
    0,
    Math.min(atNs, generator.times.steadyEndNs) - generator.times.steadyStartNs,
  );
  const perSecond = (count: number) => steadyNs > 0 ? count / (steadyNs / 1e9) : 0;
  const steady = messageCounts(ledger.steady);
  const used = meter.used();
  const shareOf = (seconds: number) => used.seconds > 0 ? seconds / used.seconds : 0;
  return {
    schemaVersion,
    role: "client",
    run: context.run,
    endpoint: context.endpoint,
    codec: codec.name,
    messageBytes: codec.messageBytes,
    arrivals: settings.load.kind,
    phase: generator.times.phase,
    elapsedMs: Math.max(0, atNs - generator.times.startNs) / 1e6,
    steadyMs: steadyNs / 1e6,
    steadyPlannedMs: settings.durationMs + measuredRampMs(generator),
    interrupted: generator.times.isInterrupted,
    ...(settings.measuresRamp === true ? { measuresRamp: true } : {}),
    connections: connectionCounts(generator),
    messages: messageCounts(ledger.outside, ledger.steady),
    steady,
    anomalies: { ...generator.receiver.anomalies },
    requestedRate: perSecond(steady.due),
    achievedRate: perSecond(steady.sent),
    bytes: {
      sent: generator.sender.bytesSent,
      received: generator.receiver.bytesReceived,
      steadySent: used.sentBytes,
      steadyReceived: used.receivedBytes,
    },
    answerStatuses: codec.answerStatuses(),
    histograms: recorder.totals(),
    generator: {
      ...readProcessUsage(),
      steadyCpuShare: shareOf(used.cpuSeconds),
      steadyCpuWaitShare: shareOf(used.cpuWaitSeconds),
      heldBackSends: generator.sender.heldBackSends,
    },
    ...(outages === undefined ? {} : { outages: outages.report(atNs) }),
    ...(servers === undefined ? {} : { servers: servers.spread() }),
    verdict: context.verdict,
    ...overdue(generator, atNs),
  };
}

/** How long the connections should take to open, where that is a part of the measured phase. */
function measuredRampMs({ settings, pool }: LoadGenerator): number {
  if (settings.ramp === undefined) return 0;
  return (settings.connections - 1) / pool.plannedPerSecond * 1000;
}

function overdue(
  { settings, ledger }: LoadGenerator,
  atNs: number,
): Pick<ClientSnapshot, "overdue"> {
  if (settings.ramp === undefined) return {};
  return {
    overdue: settings.ramp.overdueAfterMs.map((afterMs) => ({
      afterMs,
      count: ledger.openSince(atNs - afterMs * 1e6),
    })),
  };
}

/** A ramp shorter than this says more about a single connect than about a rate. */
const shortestRampSeconds = 0.1;

function connectionCounts({ pool, settings }: LoadGenerator): ConnectionCounts {
  const { connections, share = wholeOf(connections), reconnect, recyclePerSecond } = settings;
  const plannedRampSeconds = (share.connections - 1) / pool.plannedPerSecond;
  return {
    requested: connections,
    attempted: pool.attempted,
    opened: pool.opened,
    open: pool.openCount + pool.leavingCount,
    failed: pool.failed,
    lost: pool.lost,
    lostUnused: pool.lostUnused,
    lostUnusedMessages: pool.lostUnusedMessages,
    ...(reconnect === undefined && recyclePerSecond === undefined
      ? {}
      : { reopened: pool.reopened }),
    ...(recyclePerSecond === undefined ? {} : { recycled: pool.recycled }),
    failures: pool.failures.counts(),
    requestedPerSecond: plannedRampSeconds < shortestRampSeconds
      ? 0
      : pool.plannedPerSecond * connections / share.connections,
    achievedPerSecond: pool.achievedPerSecond,
    openingMs: pool.openingMs,
  };
}
