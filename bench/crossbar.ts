import { hasCrossbar } from "../tests/interop/crossbar_node.ts";
import {
  formatCores,
  formatCount,
  formatDuration,
  formatRate,
  formatShare,
} from "../lib/stats/figures.ts";
import type { ProbeSnapshotJson } from "../lib/wamp/probe/snapshot_json.ts";
import { processTree } from "./million/process_tree.ts";
import type { Benchmark, BenchmarkEntry } from "./rig/benchmark.ts";
import { readCpuSeconds } from "./rig/process_figures.ts";
import { runProbe } from "./rig/wamp_probe.ts";
import { type RunningRouter, startCrossbar, startRouter } from "./rig/wamp_routers.ts";

const seconds = 6;
const timeoutMs = 300_000;
/** Iterations of 320 publishers per second, each to 320 subscribers: 25,600 to 204,800 events/s. */
const rates = [0.25, 0.5, 1, 2];

export const crossbar: BenchmarkEntry = {
  summary: "Crossbar and our WAMP router under the same load, one after the other",
  async run(benchmark) {
    const { report } = benchmark;
    report.heading("crossbar: 8 × 40 sessions, 128 bytes, Crossbar beside our router");
    if (!hasCrossbar) {
      report.line("Crossbar is not installed here (.ci/run installs it in .venv-crossbar)");
      return;
    }
    const peer = await startCrossbar(benchmark, timeoutMs);
    await using _peer = peer.child;
    const own = await startRouter(benchmark, timeoutMs);
    await using _own = own.child;
    const rows: string[][] = [];
    for (const rate of rates) {
      rows.push(await measure(benchmark, "Crossbar", peer, rate));
      rows.push(await measure(benchmark, "holdfast", own, rate));
    }
    report.table([
      [
        ...["router", "events requested", "achieved", "share", "delivery p99", "lost", "not acked"],
        ...["router's CPU", "an event", "verdict"],
      ],
      ...rows,
    ]);
  },
};

async function measure(
  benchmark: Benchmark,
  name: string,
  { url, child }: RunningRouter,
  rate: number,
): Promise<string[]> {
  const load = ["--clients", "8", "--connections", "40", "--rate", `${rate}`, "--no-calls"];
  const before = cpuSeconds(child.pid);
  const snapshot = await runProbe(benchmark, url, load, seconds, timeoutMs);
  return [name, ...figures(snapshot, cpuSeconds(child.pid) - before)];
}

/** @param cpu seconds of the router from before the probe began until it had ended. */
function figures(snapshot: ProbeSnapshotJson, cpu: number): string[] {
  const { events, publications, steadyMs, elapsedMs, requestedRate, sessions } = snapshot;
  const perSecond = events.unique / (steadyMs / 1000);
  const wanted = requestedRate * sessions.requested;
  return [
    formatRate(wanted),
    formatRate(perSecond),
    formatShare(perSecond / wanted),
    formatDuration(snapshot.histograms.delivery.p99Ns),
    formatCount(events.lost),
    formatCount(publications.sent - publications.answered),
    formatCores(cpu / (elapsedMs / 1000)),
    formatDuration(cpu * 1e9 / events.unique),
    snapshot.verdict?.kind ?? "",
  ];
}

/** Of a process and all that it has started. */
function cpuSeconds(root: number): number {
  return processTree(root).reduce((sum, pid) => sum + readCpuSeconds(pid), 0);
}
