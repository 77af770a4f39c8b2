/**
 * `deno task bench:million`: a million live WebSockets on this host, server and clients together,
 * each process with 20,000 descriptors. `--help` says what can be asked for. Limits of the kernel
 * that are short are named; with `--apply` they are set, and put back whatever happens.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, cpus, release, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { HoldfastError, messageOf } from "../../lib/errors.ts";
import { readConntrack } from "../../lib/host/conntrack.ts";
import { fdLimits, setFdLimits } from "../../lib/host/libc.ts";
import { availableMemoryBytes } from "../../lib/host/limits.ts";
import { formatBytes, formatCount } from "../../lib/stats/figures.ts";
import { Benchmark } from "../rig/benchmark.ts";
import { killChildren } from "../rig/children.ts";
import { requireExecutable } from "../rig/executable.ts";
import { Report } from "../rig/report.ts";
import { type MillionSettings, parseArguments, processesFor, usage } from "./arguments.ts";
import { leastAvailableBytes } from "./load.ts";
import { measureMillion } from "./million.ts";
import { requirementsFor, Sysctls } from "./sysctls.ts";

/** A connection with both ends here, user and kernel memory: what small runs have shown. */
const bytesEach = 11_000;
/** A process without connections. */
const processBytes = 25e6;

const report = new Report();
const undoFile = join(tmpdir(), `holdfast-million-undo-${process.pid}.sh`);
const sysctls = new Sysctls(undoFile);
const directory = mkdtempSync(join(tmpdir(), "holdfast-million-"));

process.on("exit", () => {
  try {
    sysctls.restore();
  } catch (error) {
    console.error(messageOf(error));
  }
  killChildren();
  rmSync(directory, { recursive: true, force: true });
});
for (const [signal, exitCode] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  process.on(signal, () => process.exit(exitCode));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(error instanceof HoldfastError ? error.exitCode : 1);
}
process.exit(0);

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(usage());
    return;
  }
  const settings = parseArguments(args);
  requireExecutable();
  report.line(
    `${availableParallelism()} cores ${cpus()[0]?.model ?? "?"}, ${formatBytes(totalmem())} ` +
      `(${formatBytes(availableMemoryBytes())} available), ${process.platform} ${release()}`,
  );
  const most = settings.isBeyond ? memoryFor(settings) : settings.connections;
  const conntrack = await readConntrack(false);
  prepareKernel(settings, most, conntrack?.isTracking === true);
  limitDescriptors(settings.fdLimit);
  await measureMillion(new Benchmark("million", report, directory), settings, most);
  report.goals();
}

/** A tenth more connections than there seems to be memory for: it must be the first to end. */
function memoryFor({ connections, mostConnections }: MillionSettings): number {
  if (mostConnections !== undefined) return Math.max(connections, mostConnections);
  const each = bytesEach + 2 * processBytes / (connections / processesFor(connections));
  const most = Math.floor(1.1 * (availableMemoryBytes() - leastAvailableBytes) / each);
  return Math.max(connections, most);
}

/**
 * @param most connections that may come in steps beyond.
 * @throws {Error} the kernel allows too few, and `--apply` was not given, or this is not root.
 */
function prepareKernel(settings: MillionSettings, most: number, isTracked: boolean): void {
  const { connections, isApplying, workers } = settings;
  const wanted = isApplying ? most : connections;
  const processes = 2 * Math.max(workers, processesFor(wanted));
  const shortages = sysctls.shortages(requirementsFor(wanted, processes, isTracked));
  if (shortages.length === 0) {
    report.line(`the kernel's limits are enough for ${formatCount(wanted)} connections`);
    return;
  }
  const commands = sysctls.commandsFor(shortages).map((command) => `  ${command}`);
  if (isApplying) {
    sysctls.raise(shortages);
    report.line("set, as root, and put back at the end (should this be killed: " + undoFile + "):");
    for (const command of commands) report.line(command);
    return;
  }
  const isEnough = shortages.every(({ isRequired }) => !isRequired);
  const first = isEnough
    ? "with larger limits it may be faster; --apply (as root) sets them and puts them back:"
    : `too small for ${formatCount(wanted)} connections; --apply (as root) sets and puts back:`;
  if (!isEnough) throw new Error([first, ...commands].join("\n"));
  report.line(first);
  for (const command of commands) report.line(command);
}

/** Everything that is started here inherits this, and no process needs more. */
function limitDescriptors(fdLimit: number): void {
  const { hard } = fdLimits();
  if (setFdLimits({ soft: fdLimit, hard: fdLimit })) return;
  throw new Error(
    `each process is to have ${fdLimit} descriptors, and the hard limit is ${hard}; run ` +
      `"ulimit -n ${fdLimit}" as root first`,
  );
}
