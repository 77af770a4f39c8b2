import {
  formatCores,
  formatCount,
  formatDuration,
  formatRate,
  formatShare,
} from "../lib/stats/figures.ts";
import { buildRustNode, findCargo } from "../tests/interop/rust_libp2p/program.ts";
import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { atLeast, atMost, exactly } from "./rig/goal.ts";
import { measureLocal, warmupSeconds } from "./rig/local_network.ts";
import type { P2pCase, P2pResult } from "./rig/p2p_case.ts";
import { measureRust } from "./rig/rust_network.ts";

const seconds = 15;
const deliveryP99Ns = 100e6;

// A little more than the goal is asked for, which the rounding of times must not miss.
const cases: readonly (P2pCase & { readonly goalPerSecond: number })[] = [
  {
    name: "3 nodes, 1 KiB",
    ...{ protocol: "gossipsub", nodes: 3, messageBytes: 1024, messagesPerSecond: 1010 },
    goalPerSecond: 1000,
  },
  {
    name: "5 nodes, 1 KiB",
    ...{ protocol: "gossipsub", nodes: 5, messageBytes: 1024, messagesPerSecond: 252 },
    goalPerSecond: 250,
  },
  {
    name: "3 nodes, 64 KiB",
    ...{ protocol: "gossipsub", nodes: 3, messageBytes: 65_536, messagesPerSecond: 252 },
    goalPerSecond: 250,
  },
  {
    name: "20 nodes, 1 KiB",
    ...{ protocol: "gossipsub", nodes: 20, messageBytes: 1024, messagesPerSecond: 10.1 },
    goalPerSecond: 10,
  },
  {
    name: "sqmr, 1 to 2, 1 KiB",
    ...{ protocol: "sqmr", nodes: 3, messageBytes: 1024, messagesPerSecond: 2020 },
    goalPerSecond: 2000,
    oneBroadcasts: true,
  },
  {
    name: "reversed sqmr, 1 to 2, 1 KiB",
    ...{ protocol: "reversed-sqmr", nodes: 3, messageBytes: 1024, messagesPerSecond: 5050 },
    goalPerSecond: 5000,
    oneBroadcasts: true,
  },
];

export const p2p: BenchmarkEntry = {
  summary: "broadcast networks of ours, and of rust-libp2p where cargo is",
  isLong: true,
  run: async (benchmark: Benchmark) => {
    const { report } = benchmark;
    const hasRust = findCargo() !== undefined;
    if (hasRust) {
      report.line("cargo build of the node by rust-libp2p, which may take minutes");
      await buildRustNode(false);
    }
    for (const plan of cases) {
      report.heading(
        `p2p: ${plan.name}, ${rateText(plan)} for ${seconds} s, ours after ${warmupSeconds} s of ` +
          "warm-up (counted, not timed)",
      );
      const ours = await measureLocal(benchmark, plan, seconds);
      const rust = hasRust ? await measureRust(benchmark, plan, seconds) : undefined;
      reportCase(benchmark, plan, ours, rust);
    }
    if (!hasRust) report.line("no cargo here: nothing by rust-libp2p stands beside these figures");
  },
};

function rateText({ oneBroadcasts, messagesPerSecond }: P2pCase): string {
  return `${formatRate(messagesPerSecond)} from ${oneBroadcasts === true ? "one" : "each"} node`;
}

/** Messages a second that one broadcaster has sent. */
function sentRate({ oneBroadcasts, nodes }: P2pCase, { sent, seconds }: P2pResult): number {
  return sent / seconds / (oneBroadcasts === true ? 1 : nodes);
}

function reportCase(
  { report }: Benchmark,
  plan: (typeof cases)[number],
  ours: P2pResult,
  rust: P2pResult | undefined,
): void {
  const perSecond = sentRate(plan, ours);
  const p99Ns = ours.delivery.percentileNs(99);
  report.figures(`p2p, ${plan.name}`, [
    {
      label: "sent a second, each broadcaster",
      requested: formatRate(plan.messagesPerSecond),
      measured: formatRate(perSecond),
      share: ours.sent / ours.due,
      goal: atLeast(perSecond, plan.goalPerSecond, formatRate),
    },
    {
      label: "not delivered",
      requested: formatCount(ours.expected),
      measured: formatCount(ours.expected - ours.delivered),
      goal: exactly(ours.expected - ours.delivered, 0, formatCount),
    },
    {
      label: "delivery p99",
      measured: formatDuration(p99Ns),
      goal: atMost(p99Ns, deliveryP99Ns, formatDuration),
    },
  ], ours.remarks.join("; "));
  const columns = rust === undefined ? [ours] : [ours, rust];
  const rows: [string, (result: P2pResult) => string][] = [
    ["sent a second, each broadcaster", (result) => formatRate(sentRate(plan, result))],
    ["sent of due", ({ sent, due }) => formatShare(sent / due)],
    ["dropped", ({ dropped }) => formatCount(dropped)],
    ["delivered", ({ delivered, expected }) => formatShare(delivered / expected)],
    ["not delivered", ({ delivered, expected }) => formatCount(expected - delivered)],
    ["more than once", ({ duplicated }) => formatCount(duplicated)],
    ["CPU of all nodes", ({ cores }) => formatCores(cores)],
    ["lateness p99, worst broadcaster", ({ latenessP99Ns }) => formatDuration(latenessP99Ns)],
  ];
  report.table([
    ["", "holdfast", ...(rust === undefined ? [] : ["rust-libp2p"])],
    ...rows.map(([label, text]) => [label, ...columns.map(text)]),
  ]);
  report.times([
    ["delivery, holdfast", ours.delivery],
    ...(rust === undefined ? [] : [["delivery, rust-libp2p", rust.delivery] as const]),
  ]);
  for (const remark of rust?.remarks ?? []) report.line(`rust-libp2p: ${remark}`);
  for (const remark of ours.remarks) report.line(`holdfast: ${remark}`);
}
