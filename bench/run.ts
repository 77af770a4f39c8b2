/**
 * `deno task bench`: measures the compiled executable against the goals of its issues and prints tables
 * with the commands. Arguments choose benchmarks by name; without any, all run that do not take
 * minutes. It fails only where something could not be measured, never because a goal is not met.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { formatBytes } from "../lib/stats/figures.ts";
import { connectionMemory } from "./connection_memory.ts";
import { connects } from "./connects.ts";
import { crossbar } from "./crossbar.ts";
import { dnsperf } from "./dnsperf.ts";
import { p2p } from "./p2p.ts";
import { pacing } from "./pacing.ts";
import { quic } from "./quic.ts";
import { Benchmark, type BenchmarkEntry } from "./rig/benchmark.ts";
import { killChildren } from "./rig/children.ts";
import { executable, requireExecutable } from "./rig/executable.ts";
import { Report } from "./rig/report.ts";
import { startup } from "./startup.ts";
import { statsCost } from "./stats_cost.ts";
import { tcpDns } from "./tcp_dns.ts";
import { udp } from "./udp.ts";
import { wamp } from "./wamp.ts";
import { websocket } from "./websocket.ts";

const benchmarks: Readonly<Record<string, BenchmarkEntry>> = {
  startup,
  tcp_dns: tcpDns,
  pacing,
  udp,
  websocket,
  connects,
  stats_cost: statsCost,
  dnsperf,
  quic,
  p2p,
  connection_memory: connectionMemory,
  wamp,
  crossbar,
};

const chosen = chooseBenchmarks(process.argv.slice(2));
const directory = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
process.on("exit", () => {
  killChildren();
  rmSync(directory, { recursive: true, force: true });
});
for (const [signal, exitCode] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  process.on(signal, () => process.exit(exitCode));
}

const report = new Report();
describeMachine(report);
let failures = 0;
for (const [name, entry] of chosen) {
  try {
    await entry.run(new Benchmark(name, report, directory));
  } catch (error) {
    failures++;
    report.line();
    report.line(`${name} could not be measured: ${error instanceof Error ? error.message : error}`);
  }
  // Whatever a failure has left must not disturb the next one.
  killChildren();
}
report.goals();
process.exit(failures > 0 ? 1 : 0);

function chooseBenchmarks(names: readonly string[]): [string, BenchmarkEntry][] {
  const listed = Object.entries(benchmarks).map(([name, { summary, isLong }]) =>
    `  ${name.padEnd(10)}  ${summary}${isLong === true ? " (only when chosen)" : ""}`
  ).join("\n");
  if (names.includes("--help") || names.includes("-h")) {
    console.log(`deno task bench [name…]\n\n${listed}`);
    process.exit(0);
  }
  const unknown = names.filter((name) => !Object.hasOwn(benchmarks, name));
  if (unknown.length > 0) {
    console.error(`there is no benchmark ${unknown.join(", ")}; choose from:\n${listed}`);
    process.exit(2);
  }
  return names.length > 0
    ? [...new Set(names)].map((name) => [name, benchmarks[name]!])
    : Object.entries(benchmarks).filter(([, { isLong }]) => isLong !== true);
}

/** What the figures depend on. */
function describeMachine(report: Report): void {
  try {
    requireExecutable();
  } catch (error) {
    console.error((error as Error).message);
    process.exit(1);
  }
  const version = Bun.spawnSync([executable, "--version"]).stdout.toString().trim();
  const load = loadavg().map((each) => each.toFixed(2)).join(", ");
  report.line(`${version} on ${new Date().toISOString()}`);
  report.line(
    `${availableParallelism()} cores ${cpus()[0]?.model ?? "?"}, ${formatBytes(totalmem())}, ` +
      `${process.platform} ${release()}, load average ${load}`,
  );
}
