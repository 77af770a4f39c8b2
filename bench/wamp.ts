import { readFileSync, writeFileSync } from "node:fs";
import { formatCount, formatDuration, formatRate } from "../lib/stats/figures.ts";
import type { HaSnapshot } from "../lib/wamp/ha/snapshot.ts";
import type { ProbeSnapshotJson } from "../lib/wamp/probe/snapshot_json.ts";
import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { Child } from "./rig/children.ts";
import { asTyped, executable } from "./rig/executable.ts";
import { atLeast, atMost, exactly } from "./rig/goal.ts";
import { runProbe } from "./rig/wamp_probe.ts";
import { endedEarly, startRouter } from "./rig/wamp_routers.ts";

const seconds = 10;
const timeoutMs = 120_000;

interface Case {
  readonly name: string;
  readonly args: readonly string[];
  readonly hasCalls?: true;
  /** Shares and times that are asked for; without them the figures are printed only. */
  readonly goals?: {
    readonly share?: number;
    readonly deliveryP99Ns?: number;
    readonly perSecond?: number;
  };
}

/** Crossbar documents 8 × 40 connections at rate 2 on two hosts: 204,800 events/s. */
const cases: readonly Case[] = [
  {
    name: "8 × 40 sessions, rate 2, 128 bytes: 204,800 events/s",
    args: ["--clients", "8", "--connections", "40", "--rate", "2"],
    goals: { share: 0.995, deliveryP99Ns: 100e6 },
  },
  {
    name: "8 × 40 sessions, rate 4, 128 bytes: 409,600 events/s",
    args: ["--clients", "8", "--connections", "40", "--rate", "4"],
    goals: { perSecond: 400_000 },
  },
  {
    name: "the same at rate 2 with 4 calls for each publication",
    args: ["--clients", "8", "--connections", "40", "--rate", "2"],
    hasCalls: true,
  },
  {
    // In one process: eight cost the two cores twice as much, and leave the router too little.
    name: "1 publisher to 320 subscribers: 451,200 events/s",
    args: ["--connections", "320", "--publishers", "1", "--rate", "1410", "--open-loop"],
    // What comes late comes all the same: only with its delivery time is the rate one that was held.
    goals: { perSecond: 450_000, deliveryP99Ns: 100e6 },
  },
];

export const wamp: BenchmarkEntry = {
  summary: "events a second from WAMP publishers to subscribers, router and probe together",
  run: async (benchmark) => {
    for (const each of cases) await measureRouter(benchmark, each);
    await measureCluster(benchmark);
  },
};

async function measureRouter(benchmark: Benchmark, of: Case): Promise<void> {
  const { report } = benchmark;
  report.heading(`wamp: ${of.name}`);
  const { url, child } = await startRouter(benchmark, timeoutMs);
  await using _router = child;
  if (!of.hasCalls) return await measureProbe(benchmark, of, url);
  const registered = Promise.withResolvers<void>();
  const backendCommand = [executable, "wamp", "backend", "--url", url, "--silent"];
  report.command(asTyped(backendCommand));
  await using backend = new Child(backendCommand, {
    timeoutMs,
    onLine: (line) => line.startsWith("registered") && registered.resolve(),
  });
  await Promise.race([registered.promise, endedEarly(backend)]);
  await measureProbe(benchmark, of, url);
}

async function measureProbe(benchmark: Benchmark, of: Case, url: string): Promise<void> {
  const load = [...of.args, ...(of.hasCalls ? [] : ["--no-calls"])];
  reportProbe(benchmark, of, await runProbe(benchmark, url, load, seconds, timeoutMs));
}

function reportProbe({ report }: Benchmark, of: Case, snapshot: ProbeSnapshotJson): void {
  const { events, calls, steadyMs, requestedRate, sessions, histograms, verdict } = snapshot;
  const perSecond = events.unique / (steadyMs / 1000);
  const wanted = requestedRate * sessions.requested;
  const share = (value: number) => `${(value * 100).toFixed(2)} %`;
  const { goals } = of;
  report.figures(`wamp, ${of.name}`, [
    {
      label: "events",
      requested: formatRate(wanted),
      measured: formatRate(perSecond),
      share: perSecond / wanted,
      goal: atLeast(perSecond / wanted, goals?.share, share) ??
        atLeast(perSecond, goals?.perSecond, formatRate),
    },
    {
      label: "delivery p99",
      measured: formatDuration(histograms.delivery.p99Ns),
      goal: atMost(histograms.delivery.p99Ns, goals?.deliveryP99Ns, formatDuration),
    },
    {
      label: "lost, duplicated, out of order",
      measured: [events.lost, events.duplicated, events.outOfOrder].map(formatCount).join(", "),
      goal: exactly(events.lost + events.duplicated + events.outOfOrder, 0, formatCount),
    },
    ...(of.hasCalls
      ? [{
        label: "calls",
        measured: formatRate(calls.answered / (steadyMs / 1000)),
        share: calls.answered / calls.due,
      }]
      : []),
  ], verdict?.kind === "invalid" ? "the probe was late" : "");
}

/** Four nodes behind HAProxy, with nothing done to them. */
async function measureCluster(benchmark: Benchmark): Promise<void> {
  const { report } = benchmark;
  const name = "320 sessions through HAProxy to 4 nodes, rate 2: 204,800 events/s";
  report.heading(`wamp: ${name}`);
  const steps = benchmark.newFile("txt");
  writeFileSync(steps, `1s rebalance\n${seconds}s end\n`);
  const file = benchmark.newFile("json");
  const command = [
    ...[executable, "wamp", "ha", "--nodes", "4", "--connections", "320", "--rate", "2"],
    ...["--no-calls", "--quiet", "--stats", "off"],
  ];
  report.command(asTyped([...command, "--scenario", "steps.txt", "--json", "ha.json"]));
  await using test = new Child([...command, "--scenario", steps, "--json", file], { timeoutMs });
  await test.ended;
  const { probe } = JSON.parse(readFileSync(file, "utf8")) as HaSnapshot;
  reportProbe(
    benchmark,
    { name, args: [], goals: { share: 0.995, deliveryP99Ns: 100e6 } },
    probe as unknown as ProbeSnapshotJson,
  );
}
