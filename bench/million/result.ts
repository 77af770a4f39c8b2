import {
  formatBytes,
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatRate,
  formatShare,
} from "../../lib/stats/figures.ts";
import { totalLost } from "../../lib/stats/metrics.ts";
import type { Benchmark } from "../rig/benchmark.ts";
import { atLeast, atMost, exactly } from "../rig/goal.ts";
import type { Figure } from "../rig/report.ts";
import { growthOf } from "./kernel_memory.ts";
import type { MillionResult } from "./million.ts";
import type { TreeMemory } from "./process_tree.ts";

const openWithinMs = 5 * 60_000;
const serverBytesEach = 1024;

/** Prints what was measured, with the goals beside it. */
export function reportMillion(benchmark: Benchmark, result: MillionResult): void {
  const { report } = benchmark;
  const { settings, snapshot, cut, broke } = result;
  const where = formatCount(settings.connections);
  report.heading(`result: ${where} WebSockets`);
  if (cut !== undefined) report.line(`ended early: ${cut}`);
  report.figures(where, [
    ...connectionFigures(result),
    ...messageFigures(result),
    ...memoryFigures(result),
    ...cpuFigures(result),
  ], cut === undefined ? "" : "ended early");
  const { histograms } = snapshot;
  report.times([
    ["response time", histograms.response],
    ["service time", histograms.service],
    ["schedule error", histograms.scheduleError],
    ["connect time", histograms.connect],
  ]);
  reportMemory(benchmark, result);
  report.line();
  report.line(`verdict of the client: ${snapshot.verdict?.kind ?? "none, it was still running"}`);
  for (const reason of snapshot.verdict?.reasons ?? []) report.line(`  - ${reason}`);
  for (const { kind, count, firstDetail } of snapshot.connections.failures) {
    report.line(`  - ${formatCount(count)} connections ended: ${kind} (${firstDetail})`);
  }
  for (const line of result.kernelLines) report.line(line);
  if (broke === undefined) return;
  report.line();
  report.line(`beyond: ${formatCount(broke.reached)} were open together; then: ${broke.what}`);
}

function connectionFigures({ settings, snapshot }: MillionResult): Figure[] {
  const { connections } = snapshot;
  const { open, failed, lost, achievedPerSecond } = connections;
  const openingMs = connections.openingMs ?? NaN;
  return [
    {
      label: "connections open",
      requested: formatCount(settings.connections),
      measured: formatCount(open),
      share: open / settings.connections,
      goal: exactly(open, settings.connections, formatCount),
    },
    { label: "connections failed, lost", measured: `${formatCount(failed)}, ${formatCount(lost)}` },
    {
      label: "all open after",
      measured: formatElapsed(openingMs),
      goal: atMost(openingMs, openWithinMs, formatElapsed),
    },
    {
      label: "connect rate",
      requested: formatRate(settings.connectsPerSecond),
      measured: formatRate(achievedPerSecond),
      share: achievedPerSecond / settings.connectsPerSecond,
    },
  ];
}

function messageFigures({ snapshot }: MillionResult): Figure[] {
  const { steady, messages, requestedRate, achievedRate, anomalies, histograms } = snapshot;
  const { reordered: _, ...wrong } = anomalies;
  const wrongAnswers = Object.values(wrong).reduce((sum, count) => sum + count, 0);
  return [
    { label: "held for", measured: formatElapsed(snapshot.steadyMs) },
    {
      label: "messages",
      // Of a run that goes on, both count what the workers had reported, over the time until now.
      requested: formatRate(requestedRate),
      measured: formatRate(achievedRate),
      share: steady.sent / steady.due,
      goal: atLeast(steady.sent / steady.due, 0.99, formatShare),
    },
    {
      label: "answered, each compared",
      requested: formatCount(steady.sent),
      measured: formatCount(steady.answered),
      share: steady.answered / steady.sent,
    },
    {
      label: "messages lost",
      measured: formatCount(totalLost(messages.lost)),
      goal: exactly(totalLost(messages.lost), 0, formatCount),
    },
    {
      label: "wrong answers",
      measured: formatCount(wrongAnswers),
      goal: exactly(wrongAnswers, 0, formatCount),
    },
    { label: "response time p50", measured: formatDuration(histograms.response.percentileNs(50)) },
    { label: "response time p99", measured: formatDuration(histograms.response.percentileNs(99)) },
  ];
}

/** Bytes for each connection by which the processes of a side have grown. */
function growthEach(
  base: TreeMemory,
  held: TreeMemory,
  figure: "rssBytes" | "proportionalBytes" | "anonymousBytes",
  connections: number,
): number {
  return (held[figure] - base[figure]) / connections;
}

/** To the byte, since a KiB is a goal. */
function formatWholeBytes(bytes: number): string {
  return Number.isFinite(bytes) ? `${formatCount(bytes)} B` : "–";
}

function memoryFigures(result: MillionResult): Figure[] {
  const { base, held, snapshot, kernelBefore, kernelHeld } = result;
  const { open } = snapshot.connections;
  const each = (side: "server" | "client") =>
    growthEach(base[side], held[side], "anonymousBytes", open);
  const kernel = growthOf(kernelBefore, kernelHeld);
  return [
    {
      label: "server memory a connection",
      measured: formatWholeBytes(each("server")),
      goal: atMost(each("server"), serverBytesEach, formatWholeBytes),
    },
    { label: "client memory a connection", measured: formatWholeBytes(each("client")) },
    {
      label: "kernel memory a connection, both ends",
      measured: formatWholeBytes((kernel.slabBytes + kernel.tcpBufferBytes) / open),
    },
    {
      label: "memory that is gone, a connection",
      measured: formatWholeBytes(kernel.availableBytes / open),
    },
  ];
}

function cpuFigures({ serverCores, clientCores, otherCores }: MillionResult): Figure[] {
  return [
    { label: "CPU of the server while held", measured: formatCores(serverCores) },
    { label: "CPU of the client while held", measured: formatCores(clientCores) },
    { label: "CPU of everything else", measured: formatCores(otherCores) },
  ];
}

function reportMemory({ report }: Benchmark, result: MillionResult): void {
  const { base, held, kernelBefore, kernelHeld, snapshot } = result;
  const { open } = snapshot.connections;
  const figures = [
    ["heap and stacks", "anonymousBytes"],
    ["RSS", "rssBytes"],
    ["PSS (shared pages in parts)", "proportionalBytes"],
  ] as const;
  report.line();
  report.line("User memory is what no file backs: heap and stacks. RSS counts the pages of the");
  report.line("executable once for each process that has touched them; they are in memory once.");
  report.table([
    ["", "processes", "base", "held", "a connection", "fullest process"],
    ...(["server", "client"] as const).flatMap((side) =>
      figures.map(([name, figure]) => [
        `${side}: ${name}`,
        `${held[side].processes}`,
        formatBytes(base[side][figure]),
        formatBytes(held[side][figure]),
        formatWholeBytes(growthEach(base[side], held[side], figure, open)),
        `${formatCount(held[side].mostFds)} fds`,
      ])
    ),
  ]);
  const kernel = growthOf(kernelBefore, kernelHeld);
  const rows: [string, number][] = [
    ...kernel.largest.map(({ name, bytes }): [string, number] => [`slab ${name}`, bytes]),
    ["all slabs", kernel.slabBytes],
    ["data in TCP buffers", kernel.tcpBufferBytes],
  ];
  report.table([
    ["kernel memory, both ends", "growth", "a connection"],
    ...rows.map(([name, bytes]) => [name, formatBytes(bytes), formatWholeBytes(bytes / open)]),
  ]);
  report.line(
    `${formatCount(kernelHeld.tcpSockets)} TCP sockets; ` +
      `${formatBytes(kernelHeld.availableBytes)} of memory still available`,
  );
}
