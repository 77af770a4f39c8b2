import { readFileSync, writeFileSync } from "node:fs";
import { formatCount, formatDuration, formatRate, formatShare } from "../lib/stats/figures.ts";
import type { Histogram } from "../lib/stats/histogram.ts";
import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { Child } from "./rig/children.ts";
import { type DnsperfResult, parseDnsperf } from "./rig/dnsperf_output.ts";
import { median } from "./rig/goal.ts";
import { HoldfastClient } from "./rig/holdfast_client.ts";
import { readCpuSeconds } from "./rig/process_figures.ts";
import { queryName, requireProgram, Unbound } from "./rig/unbound.ts";

const rounds = 3;
const seconds = 5;
const connections = 10;
/** Queries without an answer over all connections, where the rate is the tools' own limit. */
const outstanding = 100;
/** The same rate for both, where latency is compared. */
const pacedPerSecond = 10_000;

const modes = [
  { scheme: "udp", dnsperf: "udp" },
  { scheme: "tcp", dnsperf: "tcp" },
  { scheme: "tls", dnsperf: "dot" },
] as const;

type Mode = (typeof modes)[number];

/** One run of either tool, in the words that they share. */
interface Round {
  readonly perSecond: number;
  /** Answers divided by queries. */
  readonly answeredShare: number;
  /** From the actual send to the answer: all that dnsperf knows. */
  readonly meanNs: number;
  readonly percentilesNs: readonly number[];
  readonly maxNs: number;
  /** CPU of the tool and of the server, per query. */
  readonly toolCpuNs: number;
  readonly serverCpuNs: number;
}

const percentiles = [50, 90, 99, 99.9];

export const dnsperf: BenchmarkEntry = {
  summary: "beside dnsperf, against the same unbound, over UDP, TCP and TLS",
  run: async (benchmark: Benchmark) => {
    const { report } = benchmark;
    report.heading(
      `dnsperf: beside dnsperf against the same unbound, in turn, ${rounds} times each`,
    );
    requireProgram("dnsperf");
    await using server = await Unbound.start(benchmark);
    const queryFile = benchmark.newFile("txt");
    writeFileSync(queryFile, `${queryName} A\n`);
    for (const mode of modes) {
      await compare(benchmark, server, mode, queryFile, "rate");
      await compare(benchmark, server, mode, queryFile, "latency");
    }
  },
};

async function compare(
  benchmark: Benchmark,
  server: Unbound,
  mode: Mode,
  queryFile: string,
  what: "rate" | "latency",
): Promise<void> {
  const { report } = benchmark;
  report.heading(
    what === "rate"
      ? `dnsperf, ${mode.scheme}: rate with ${outstanding} queries outstanding on ` +
        `${connections} sockets (closed loop)`
      : `dnsperf, ${mode.scheme}: latency at ${formatRate(pacedPerSecond)} on ` +
        `${connections} sockets (even gaps)`,
  );
  const tools = [
    { name: "dnsperf", rounds: [] as Round[], run: runDnsperf },
    { name: "holdfast", rounds: [] as Round[], run: runHoldfast },
  ];
  for (let i = 0; i < rounds; i++) {
    for (const tool of tools) {
      tool.rounds.push(await tool.run(benchmark, server, mode, what, queryFile));
    }
  }
  const row = (name: string, round: string, values: Round) => [
    name,
    round,
    formatRate(values.perSecond),
    formatShare(values.answeredShare),
    ...[values.meanNs, ...values.percentilesNs, values.maxNs].map(formatDuration),
    formatDuration(values.toolCpuNs),
    formatDuration(values.serverCpuNs),
  ];
  report.table([
    [
      "send to answer",
      "round",
      "rate",
      "answered",
      "mean",
      ...percentiles.map((each) => `p${each}`),
      "max",
      "own CPU",
      "unbound's CPU",
    ],
    ...tools.flatMap((tool) => tool.rounds.map((each, i) => row(tool.name, `${i + 1}`, each))),
    ...tools.map((tool) => row(tool.name, "median", medianOf(tool.rounds))),
  ]);
  const [peer, own] = tools.map((tool) => medianOf(tool.rounds));
  report.line();
  if (what === "rate") {
    report.line(
      `rate of holdfast divided by dnsperf's: ${formatShare(own!.perSecond / peer!.perSecond)}`,
    );
  } else {
    report.line(`mean of holdfast minus dnsperf's: ${formatDuration(own!.meanNs - peer!.meanNs)}`);
  }
}

function medianOf(list: readonly Round[]): Round {
  const of = (value: (round: Round) => number) => median(list.map(value));
  return {
    perSecond: of((round) => round.perSecond),
    answeredShare: of((round) => round.answeredShare),
    meanNs: of((round) => round.meanNs),
    percentilesNs: percentiles.map((_, i) => of((round) => round.percentilesNs[i]!)),
    maxNs: of((round) => round.maxNs),
    toolCpuNs: of((round) => round.toolCpuNs),
    serverCpuNs: of((round) => round.serverCpuNs),
  };
}

async function runDnsperf(
  benchmark: Benchmark,
  server: Unbound,
  mode: Mode,
  what: "rate" | "latency",
  queryFile: string,
): Promise<Round> {
  const port = mode.scheme === "tls" ? server.tlsPort : server.port;
  const command = [
    ...["dnsperf", "-m", mode.dnsperf, "-s", "127.0.0.1", "-p", `${port}`, "-d", queryFile],
    ...["-c", `${connections}`, "-l", `${seconds}`, "-q", `${outstanding}`],
    // Percentiles come only from a line for each answer, which a paced run has the time to print.
    ...(what === "rate" ? [] : ["-Q", `${pacedPerSecond}`, "-v"]),
  ];
  const stdoutFile = benchmark.newFile("txt");
  benchmark.report.command(command);
  const serverBefore = readCpuSeconds(server.pid);
  await using child = new Child(command, { timeoutMs: (seconds + 20) * 1000, stdoutFile });
  const { exitCode, cpuSeconds } = await child.ended;
  const serverSeconds = readCpuSeconds(server.pid) - serverBefore;
  if (exitCode !== 0) throw new Error(`dnsperf ended with ${exitCode}:\n${child.lastWords}`);
  const result: DnsperfResult = parseDnsperf(readFileSync(stdoutFile, "utf8"));
  benchmark.removeFile(stdoutFile);
  return {
    perSecond: result.queriesPerSecond,
    answeredShare: result.completed / result.sent,
    meanNs: result.meanNs,
    percentilesNs: percentilesOf(result.latency),
    maxNs: result.maxNs,
    toolCpuNs: cpuSeconds / result.completed * 1e9,
    serverCpuNs: serverSeconds / result.completed * 1e9,
  };
}

async function runHoldfast(
  benchmark: Benchmark,
  server: Unbound,
  mode: Mode,
  what: "rate" | "latency",
): Promise<Round> {
  const port = mode.scheme === "tls" ? server.tlsPort : server.port;
  const load = what === "rate"
    ? ["--inflight", `${outstanding / connections}`]
    : ["-r", `${pacedPerSecond}`, "--arrivals", "uniform"];
  const serverBefore = readCpuSeconds(server.pid);
  await using client = HoldfastClient.start(benchmark, {
    args: [
      `${mode.scheme}://127.0.0.1:${port}`,
      ...["--codec", "dns", "--query", `${queryName}/A`, "-c", `${connections}`],
      ...load,
      ...["-t", `${seconds}s`],
      ...(mode.scheme === "tls" ? ["--ca", server.certFile] : []),
    ],
    timeoutMs: (seconds + 20) * 1000,
  });
  const { steady, steadyMs, histograms, generator, answerStatuses } = await client.result();
  const serverSeconds = readCpuSeconds(server.pid) - serverBefore;
  const wrong = steady.answered - (answerStatuses["NOERROR"] ?? 0);
  if (wrong > 0) throw new Error(`${formatCount(wrong)} answers were not NOERROR`);
  return {
    perSecond: steady.answered / (steadyMs / 1000),
    answeredShare: steady.answered / steady.sent,
    meanNs: histograms.service.meanNs,
    percentilesNs: percentilesOf(histograms.service),
    maxNs: histograms.service.maxNs,
    toolCpuNs: (generator.cpuUserSeconds + generator.cpuSystemSeconds) / steady.answered * 1e9,
    serverCpuNs: serverSeconds / steady.answered * 1e9,
  };
}

/** NaN where nothing was recorded. */
function percentilesOf(histogram: Histogram): number[] {
  return histogram.count === 0
    ? percentiles.map(() => NaN)
    : [...histogram.percentilesNs(percentiles)];
}
