import { formatBytes, formatCount } from "../lib/stats/figures.ts";
import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { atMost, median } from "./rig/goal.ts";
import { HoldfastServer } from "./rig/holdfast_server.ts";
import { type IdleMemory, measureIdleMemory } from "./rig/idle_memory.ts";
import { measureLoad, reportLoad } from "./rig/load.ts";

const listenOn = "ws://127.0.0.1:0";

// The open loop asks for a little more than the goal, which a Poisson plan may fall short of.
const cases = [
  { name: "open loop, 205,000/s over 1,000 connections", args: ["-c", "1000", "-r", "205k"] },
  { name: "closed loop, 1,000 connections × 10", args: ["-c", "1000", "--inflight", "10"] },
];

/** Sizes that memory is compared at, in turn, this many times each. */
const [fewConnections, manyConnections] = [1_000, 15_000];
const memoryRounds = 3;

export const websocket: BenchmarkEntry = {
  summary: "messages echoed a second, and memory of an idle connection",
  run: async (benchmark: Benchmark) => {
    for (const { name, args } of cases) {
      benchmark.report.heading(`websocket: ${name}`);
      await using server = await HoldfastServer.start(benchmark, [listenOn]);
      const load = [...args, "--warmup", "2s", "-t", "10s"];
      const result = await measureLoad(benchmark, server, load);
      reportLoad(benchmark, `websocket, ${name}`, result, { answeredPerSecond: 200_000 });
    }
    await compareMemory(benchmark);
  },
};

async function compareMemory(benchmark: Benchmark): Promise<void> {
  const { report } = benchmark;
  report.heading(
    `websocket: memory of idle connections, ${formatCount(fewConnections)} and ` +
      `${formatCount(manyConnections)}, ${memoryRounds} times each`,
  );
  const rounds: { few: IdleMemory; many: IdleMemory }[] = [];
  for (let round = 0; round < memoryRounds; round++) {
    const measure = (connections: number) =>
      measureIdleMemory(benchmark, listenOn, connections, ["--connect-rate", "3000"]);
    rounds.push({ few: await measure(fewConnections), many: await measure(manyConnections) });
  }
  const figures = [["server", 1024], ["client", 2048]] as const;
  report.table([
    [
      "",
      "round",
      ...[fewConnections, manyConnections].map(formatCount),
      "a connection",
      "heap only",
    ],
    ...figures.flatMap(([side]) =>
      rounds.map(({ few, many }, round) => [
        `${side} RSS`,
        `${round + 1}`,
        formatBytes(few[side].rssBytes),
        formatBytes(many[side].rssBytes),
        formatWholeBytes(growth(few, many, side, "rssBytes")),
        formatWholeBytes(growth(few, many, side, "anonymousBytes")),
      ])
    ),
  ]);
  report.figures(
    "websocket, idle",
    figures.map(([side, limitBytes]) => {
      const bytes = median(rounds.map(({ few, many }) => growth(few, many, side, "rssBytes")));
      return {
        label: `${side} memory a connection (median)`,
        measured: formatWholeBytes(bytes),
        goal: atMost(bytes, limitBytes, formatWholeBytes),
      };
    }),
  );
}

/** To the byte, since a KiB is a goal. */
function formatWholeBytes(bytes: number): string {
  return `${formatCount(bytes)} B`;
}

/** Bytes that each further connection has cost. */
function growth(
  few: IdleMemory,
  many: IdleMemory,
  side: "server" | "client",
  figure: "rssBytes" | "anonymousBytes",
): number {
  return (many[side][figure] - few[side][figure]) / (many.open - few.open);
}
