import { readFileSync } from "node:fs";
import { readKernelCounters } from "../lib/host/kernel_counters.ts";
import {
  formatCount,
  formatDuration,
  formatElapsed,
  formatRate,
  formatShare,
} from "../lib/stats/figures.ts";
import type { ClientSnapshot } from "../lib/stats/snapshot.ts";
import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { atLeast, median } from "./rig/goal.ts";
import { HoldfastClient } from "./rig/holdfast_client.ts";
import { HoldfastServer } from "./rig/holdfast_server.ts";
import { kernelLines } from "./rig/kernel_lines.ts";

/** Ports that need no privilege: the range that sources are taken from. */
const [firstPort, lastPort] = [1_025, 65_535];

/** More than can be reached, so that the rate is the host's limit. */
const hurry = ["--connect-rate", "100k"];
const rounds = 5;
const goalPerSecond = 20_000;

/** A process may hold 20,000 descriptors on many hosts: this many share the 60,000 connections. */
const processes = 4;
const connectionsPerProcess = 15_000;
/** A quarter that takes longer is not waited for. */
const quarterTimeoutMs = 25_000;
const holdMs = processes * quarterTimeoutMs + 60_000;

export const connects: BenchmarkEntry = {
  summary: "TCP connects a second, and 60,000 connections from one address pair",
  run: async (benchmark: Benchmark) => {
    await compareRates(benchmark);
    await fillAddressPair(benchmark);
  },
};

/**
 * For connect(2) Linux tries the ports of one parity first. Once that half of its range is used up
 * for the target, every search passes all of it: the usual range has 14,116 such ports.
 */
const sourceChoices = [
  { name: "kernel's ports, 12,000", connections: 12_000, args: [], hasGoal: true },
  { name: "kernel's ports, 18,000", connections: 18_000, args: [], hasGoal: false },
  {
    name: "own port table, 18,000",
    connections: 18_000,
    args: ["--source-ports", `${firstPort}-${lastPort}`],
    hasGoal: true,
  },
];

async function compareRates(benchmark: Benchmark): Promise<void> {
  const { report } = benchmark;
  report.heading(
    `connects: connections opened as fast as can be, in turn, ${rounds} times each`,
  );
  await using server = await HoldfastServer.start(benchmark, ["tcp://127.0.0.1:0"]);
  const runs = sourceChoices.map(() => [] as ClientSnapshot[]);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { connections, args }] of sourceChoices.entries()) {
      await using client = HoldfastClient.start(benchmark, {
        args: [server.target, "-c", `${connections}`, ...hurry, ...args, "-t", "1s"],
        timeoutMs: 30_000,
      });
      runs[i]!.push(await client.result());
    }
  }
  report.table([
    ["", "round", "opened", "connect rate", "connect p50", "p99", "max"],
    ...sourceChoices.flatMap(({ name }, i) =>
      runs[i]!.map(({ connections, histograms: { connect } }, round) => [
        name,
        `${round + 1}`,
        formatCount(connections.opened),
        formatRate(connections.achievedPerSecond),
        ...[connect.percentileNs(50), connect.percentileNs(99), connect.maxNs].map(formatDuration),
      ])
    ),
  ]);
  report.figures(
    "connects",
    sourceChoices.map(({ name, hasGoal }, i) => {
      const rate = median(runs[i]!.map(({ connections }) => connections.achievedPerSecond));
      return {
        label: `connect rate, ${name} (median)`,
        measured: formatRate(rate),
        goal: hasGoal ? atLeast(rate, goalPerSecond, formatRate) : undefined,
      };
    }),
  );
}

/** One of the processes that share the connections. */
interface Quarter {
  readonly snapshot: ClientSnapshot;
  /** Not all attempts had ended within the time. */
  readonly isCut: boolean;
}

async function fillAddressPair(benchmark: Benchmark): Promise<void> {
  const { report } = benchmark;
  const portsEach = Math.floor((lastPort - firstPort + 1) / processes);
  const ownPorts = await openQuarters(benchmark, "own port table", (quarter) => {
    const first = firstPort + quarter * portsEach;
    return ["--source-ports", `${first}-${first + portsEach - 1}`];
  });
  const [rangeFirst, rangeLast] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "latin1")
    .trim().split(/\s+/).map(Number);
  const range = `${rangeFirst} to ${rangeLast}, ${formatCount(rangeLast! - rangeFirst! + 1)} ports`;
  await openQuarters(benchmark, `the kernel's ports (${range})`, () => []);
  const opened = ownPorts.reduce((sum, { snapshot }) => sum + snapshot.connections.opened, 0);
  const rates = ownPorts.map(({ snapshot }) => snapshot.connections.achievedPerSecond);
  const slowestShare = Math.min(...rates) / rates[0]!;
  const wanted = processes * connectionsPerProcess;
  report.figures("connects, one address pair, own port table", [
    {
      label: "connections opened",
      requested: formatCount(wanted),
      measured: formatCount(opened),
      share: opened / wanted,
      goal: atLeast(opened, wanted, formatCount),
    },
    {
      // No figure of the issue: what "without collapsing" is taken to mean.
      label: "connect rate of the slowest process, of the first one's",
      measured: formatShare(slowestShare),
      goal: atLeast(slowestShare, 0.5, formatShare),
    },
  ]);
}

/** Opens connections from one process after another, each of which holds what it has. */
async function openQuarters(
  benchmark: Benchmark,
  how: string,
  sourceArgs: (quarter: number) => readonly string[],
): Promise<Quarter[]> {
  const { report } = benchmark;
  report.heading(
    `connects: ${processes} × ${formatCount(connectionsPerProcess)} connections from 127.0.0.1 ` +
      `to one port of it, ${how}`,
  );
  await using stack = new AsyncDisposableStack();
  const servers: HoldfastServer[] = [];
  for (let i = 0; i < processes; i++) {
    const port = servers[0]?.endpoint.port ?? 0;
    const args = [`tcp://127.0.0.1:${port}`, "--reuse-port", "--stats", "127.0.0.1:0"];
    servers.push(stack.use(await HoldfastServer.start(benchmark, args)));
  }
  const counters = readKernelCounters();
  const clients: { client: HoldfastClient; isCut: boolean }[] = [];
  for (let i = 0; i < processes; i++) {
    const client = stack.use(HoldfastClient.start(benchmark, {
      args: [
        servers[0]!.target,
        ...["-c", `${connectionsPerProcess}`, ...hurry, ...sourceArgs(i)],
        ...["-t", `${holdMs}ms`],
      ],
      timeoutMs: holdMs + 30_000,
    }));
    // A client that opens nothing ends before its measured phase.
    const settled = await Promise.race([
      client.steady.then(() => true, () => true),
      Bun.sleep(quarterTimeoutMs).then(() => false),
    ]);
    clients.push({ client, isCut: !settled });
    if (!settled) break;
  }
  const kernel = kernelLines(counters, readKernelCounters());
  const snapshots = await Promise.all(servers.map((server) => server.snapshot()));
  for (const { client } of clients) client.interrupt();
  const quarters: Quarter[] = [];
  for (const { client, isCut } of clients) {
    quarters.push({ snapshot: await client.result(), isCut });
  }
  reportQuarters(benchmark, quarters);
  for (const line of kernel) report.line(line);
  const held = snapshots.map(({ total }) => formatCount(total.open)).join(" + ");
  report.line();
  report.line(`open on the servers when the last process was done: ${held}`);
  return quarters;
}

function reportQuarters({ report }: Benchmark, quarters: readonly Quarter[]): void {
  report.table([
    ["process", "opened", "connect rate", "connect p50", "p99", "max", "client CPU", "ended by"],
    ...quarters.map(({ snapshot, isCut }, i) => {
      const { connections, histograms: { connect }, generator } = snapshot;
      const hasTimes = connect.count > 0;
      return [
        `${i + 1}`,
        formatCount(connections.opened),
        formatRate(connections.achievedPerSecond),
        formatDuration(hasTimes ? connect.percentileNs(50) : NaN),
        formatDuration(hasTimes ? connect.percentileNs(99) : NaN),
        formatDuration(hasTimes ? connect.maxNs : NaN),
        formatElapsed((generator.cpuUserSeconds + generator.cpuSystemSeconds) * 1000),
        isCut
          ? `cut after ${formatElapsed(quarterTimeoutMs)}`
          : connections.failed === 0
          ? "all open"
          : `${formatCount(connections.failed)} failed`,
      ];
    }),
  ]);
  for (const [i, { snapshot: { connections } }] of quarters.entries()) {
    for (const { kind, count, firstDetail } of connections.failures) {
      report.line(`  - process ${i + 1}: ${formatCount(count)} × ${kind} (${firstDetail})`);
    }
  }
}
