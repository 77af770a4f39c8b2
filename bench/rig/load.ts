import { totalLost } from "../../lib/stats/metrics.ts";
import {
  formatBytes,
  formatCores,
  formatCount,
  formatDuration,
  formatRate,
  formatShare,
} from "../../lib/stats/figures.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { type KernelCounters, readKernelCounters } from "../../lib/host/kernel_counters.ts";
import type { Benchmark } from "./benchmark.ts";
import { atLeast, atMost, exactly } from "./goal.ts";
import { HoldfastClient } from "./holdfast_client.ts";
import type { HoldfastServer } from "./holdfast_server.ts";
import {
  type CpuReading,
  cpuUse,
  type ProcessMemory,
  readCpu,
  readMemory,
} from "./process_figures.ts";
import { kernelLines } from "./kernel_lines.ts";
import type { Figure } from "./report.ts";

/** Others may use this much of a core before a figure is remarked on. */
const quietCores = 0.1;

const unknownMemory: ProcessMemory = { rssBytes: NaN, anonymousBytes: NaN, peakRssBytes: NaN };

/** One run of a client against a server, seen from both sides. */
export interface LoadResult {
  readonly snapshot: ClientSnapshot;
  /** Cores in use in the measured phase; NaN where that was shorter than two seconds. */
  readonly clientCores: number;
  readonly serverCores: number;
  readonly otherCores: number;
  /** At the last line of the measured phase. */
  readonly clientMemory: ProcessMemory;
  readonly serverMemory: ProcessMemory;
  /** What the kernel says that it refused and dropped meanwhile. */
  readonly kernel: readonly string[];
}

/** Runs a client with these arguments against a server that listens. */
export async function measureLoad(
  benchmark: Benchmark,
  server: HoldfastServer,
  args: readonly string[],
  timeoutMs = 90_000,
): Promise<LoadResult> {
  let first: CpuReading | undefined;
  let last: CpuReading | undefined;
  let [clientMemory, serverMemory] = [unknownMemory, unknownMemory];
  const counters: KernelCounters = readKernelCounters();
  await using client: HoldfastClient = HoldfastClient.start(benchmark, {
    args: [server.target, ...args],
    timeoutMs,
    onProgress: (phase) => {
      if (phase !== "steady") return;
      try {
        last = readCpu([client.pid, server.pid]);
        first ??= last;
        [clientMemory, serverMemory] = [client.pid, server.pid].map(readMemory) as [
          ProcessMemory,
          ProcessMemory,
        ];
      } catch {
        // One of the two has just ended; what was read before stands.
      }
    },
  });
  const snapshot = await client.result();
  const kernel = kernelLines(counters, readKernelCounters());
  const use = first === undefined || last === undefined ? undefined : cpuUse(first, last);
  const [clientCores = NaN, serverCores = NaN] = use?.processes ?? [];
  const otherCores = use?.others ?? NaN;
  return { snapshot, clientCores, serverCores, otherCores, clientMemory, serverMemory, kernel };
}

/** What issue 2 asks of a run; what is left out is not asked. */
export interface LoadGoals {
  /** Messages sent divided by messages due. */
  readonly sentShare?: number;
  readonly answeredPerSecond?: number;
  readonly nothingLost?: boolean;
  readonly openConnections?: number;
  readonly clientCores?: number;
  readonly scheduleErrorP99Ns?: number;
  readonly responseP99Ns?: number;
}

/** Prints what a run measured, with the goals beside it. */
export function reportLoad(
  { report }: Benchmark,
  where: string,
  result: LoadResult,
  goals: LoadGoals = {},
): void {
  const { snapshot } = result;
  const { histograms } = snapshot;
  const figures = [
    ...connectionFigures(snapshot, goals),
    ...messageFigures(snapshot, goals),
    ...timeFigures(snapshot, goals),
    ...hostFigures(result, goals),
  ];
  report.figures(where, figures, remark(result));
  report.times([
    ["response time", histograms.response],
    ["service time", histograms.service],
    ["schedule error", histograms.scheduleError],
    ["  generator's own", histograms.lateness],
    ["connect time", histograms.connect],
  ]);
  reportVerdict(report, snapshot);
  for (const line of result.kernel) report.line(line);
}

function connectionFigures({ connections }: ClientSnapshot, goals: LoadGoals): Figure[] {
  const { requested, open, lost, failed, requestedPerSecond, achievedPerSecond } = connections;
  return [
    {
      label: "connections open at the end",
      requested: formatCount(requested),
      measured: formatCount(open),
      share: open / requested,
      goal: atLeast(open, goals.openConnections, formatCount),
    },
    {
      label: "connections lost, failed",
      measured: `${formatCount(lost)}, ${formatCount(failed)}`,
    },
    {
      label: "connect rate",
      // 0: too few connections for a rate of their own.
      requested: requestedPerSecond > 0 ? formatRate(requestedPerSecond) : undefined,
      measured: formatRate(achievedPerSecond),
      share: requestedPerSecond > 0 ? achievedPerSecond / requestedPerSecond : undefined,
    },
  ];
}

function messageFigures(snapshot: ClientSnapshot, goals: LoadGoals): Figure[] {
  const { steady, steadyMs, arrivals, requestedRate, achievedRate } = snapshot;
  const isClosedLoop = arrivals === "inflight";
  const lost = totalLost(steady.lost);
  const answeredPerSecond = steadyMs > 0 ? steady.answered / (steadyMs / 1000) : NaN;
  const sentShare = steady.sent / steady.due;
  const recorded = snapshot.histograms.response.count;
  return [
    {
      label: "messages sent",
      requested: isClosedLoop ? undefined : formatRate(requestedRate),
      measured: formatRate(achievedRate),
      share: isClosedLoop ? undefined : sentShare,
      goal: atLeast(sentShare, goals.sentShare, formatShare),
    },
    {
      label: "messages answered",
      requested: formatRate(achievedRate),
      measured: formatRate(answeredPerSecond),
      share: steady.answered / steady.sent,
      goal: atLeast(answeredPerSecond, goals.answeredPerSecond, formatRate),
    },
    {
      label: "answers in the histogram",
      requested: formatCount(steady.answered),
      measured: formatCount(recorded),
      share: recorded / steady.answered,
    },
    {
      label: "messages lost",
      measured: formatCount(lost),
      goal: goals.nothingLost === true ? exactly(lost, 0, formatCount) : undefined,
    },
  ];
}

/** Only those with a goal: the others stand in the table of times. */
function timeFigures({ histograms }: ClientSnapshot, goals: LoadGoals): Figure[] {
  const times = [
    ["response time p99", histograms.response, goals.responseP99Ns],
    ["schedule error p99", histograms.scheduleError, goals.scheduleErrorP99Ns],
  ] as const;
  return times.filter(([, , limitNs]) => limitNs !== undefined)
    .map(([label, histogram, limitNs]) => {
      const valueNs = histogram.percentileNs(99);
      const goal = atMost(valueNs, limitNs, formatDuration);
      return { label, measured: formatDuration(valueNs), goal };
    });
}

function hostFigures(result: LoadResult, goals: LoadGoals): Figure[] {
  const { snapshot, clientCores, serverCores, otherCores, clientMemory, serverMemory } = result;
  const ownCores = snapshot.generator.steadyCpuShare;
  return [
    {
      label: "client CPU",
      measured: formatCores(ownCores),
      goal: atMost(ownCores, goals.clientCores, formatCores),
    },
    { label: "the same, from /proc", measured: formatCores(clientCores) },
    { label: "server CPU", measured: formatCores(serverCores) },
    {
      label: "client waiting for a CPU",
      measured: formatShare(snapshot.generator.steadyCpuWaitShare),
    },
    { label: "CPU of everything else", measured: formatCores(otherCores) },
    { label: "client memory (RSS)", measured: formatBytes(clientMemory.rssBytes) },
    { label: "server memory (RSS)", measured: formatBytes(serverMemory.rssBytes) },
  ];
}

/** The client's own judgement of its run. */
function reportVerdict(
  report: Benchmark["report"],
  { verdict, connections }: ClientSnapshot,
): void {
  report.line();
  report.line(`verdict of the client: ${verdict?.kind ?? "none"}`);
  for (const reason of verdict?.reasons ?? []) report.line(`  - ${reason}`);
  for (const { kind, count, firstDetail } of connections.failures) {
    report.line(`  - ${formatCount(count)} connections ended: ${kind} (${firstDetail})`);
  }
}

/** What makes the figures of a run doubtful. */
function remark({ snapshot, otherCores }: LoadResult): string {
  const remarks = [
    ...(snapshot.verdict?.kind === "invalid" ? ["run invalid"] : []),
    ...(snapshot.interrupted ? ["interrupted"] : []),
    ...(otherCores > quietCores ? [`others used ${formatCores(otherCores)}`] : []),
  ];
  return remarks.join("; ");
}
