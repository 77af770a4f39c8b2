import { messageOf } from "../../lib/errors.ts";
import { readKernelCounters } from "../../lib/host/kernel_counters.ts";
import { availableMemoryBytes } from "../../lib/host/limits.ts";
import { formatBytes, formatCount, formatElapsed, formatRate } from "../../lib/stats/figures.ts";
import { totalLost } from "../../lib/stats/metrics.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import type { Benchmark } from "../rig/benchmark.ts";
import { findFreePorts } from "../rig/free_ports.ts";
import { HoldfastClient } from "../rig/holdfast_client.ts";
import { HoldfastServer } from "../rig/holdfast_server.ts";
import { kernelLines } from "../rig/kernel_lines.ts";
import { type CpuReading, cpuUse, readCpu } from "../rig/process_figures.ts";
import { type MillionSettings, processesFor } from "./arguments.ts";
import { type Break, goBeyond, mostBeyondMs } from "./beyond.ts";
import { type KernelMemory, readKernelMemory } from "./kernel_memory.ts";
import { loadArguments, memoryShort } from "./load.ts";
import { leastMemory, processTree, type TreeMemory, treeMemory } from "./process_tree.ts";
import { reportMillion } from "./result.ts";

const progressEveryMs = 5000;
const baseReadings = 4;
/** Connections of each process while the memory is read that it takes without them. */
const baseConnections = 10;
/** The part of the hold after which the memory is read. */
const settledShare = 0.85;

/** What both sides take at one instant. */
export interface SideMemory {
  readonly server: TreeMemory;
  readonly client: TreeMemory;
}

/** What was measured, for the report. */
export interface MillionResult {
  readonly settings: MillionSettings;
  /** At the end of the hold. */
  readonly snapshot: ClientSnapshot;
  readonly base: SideMemory;
  readonly held: SideMemory;
  readonly kernelBefore: KernelMemory;
  readonly kernelHeld: KernelMemory;
  /** Cores in use during the hold. */
  readonly serverCores: number;
  readonly clientCores: number;
  readonly otherCores: number;
  readonly kernelLines: readonly string[];
  /** Why the run was ended early; undefined where it was not. */
  readonly cut: string | undefined;
  /** What ended the steps beyond; undefined where there were none. */
  readonly broke: Break | undefined;
}

/** Opens the connections, holds them, measures, and prints it. */
export async function measureMillion(
  benchmark: Benchmark,
  settings: MillionSettings,
  mostConnections: number,
): Promise<void> {
  const { report } = benchmark;
  report.heading(
    `${formatCount(settings.connections)} WebSockets, ${settings.workers} processes a side`,
  );
  const port = findFreePorts(1, 18_000);
  const serverWorkers = Math.max(
    settings.workers,
    settings.isBeyond ? processesFor(mostConnections) : 1,
  );
  const startMs = performance.now();
  await using server = await HoldfastServer.start(benchmark, [
    ...[`ws://127.0.0.1:${port}`, "--workers", `${serverWorkers}`, "--stats", "127.0.0.1:0"],
  ], 60_000);
  report.line(`the server listens after ${formatElapsed(performance.now() - startMs)}`);
  const base = await measureBase(benchmark, server, settings);
  const kernelBefore = readKernelMemory();
  const counters = readKernelCounters();

  const lastingMs = settings.holdMs + (settings.isBeyond ? mostBeyondMs + 30_000 : 0);
  const rampMs = settings.connections / settings.connectsPerSecond * 1000;
  await using client = HoldfastClient.start(benchmark, {
    args: [
      ...loadArguments(server, settings, settings.connections, settings.workers),
      ...["-t", `${lastingMs}ms`, "--stats", "127.0.0.1:0"],
    ],
    timeoutMs: 2 * rampMs + 120_000 + lastingMs,
  });
  const run = new Run(benchmark, server, client);
  const cut = await run.untilSteady(2 * rampMs + 60_000) ??
    await run.hold(settings.holdMs);
  const { held, kernelHeld, use } = run.measured();
  const atEnd = await run.snapshot();
  let broke: Break | undefined;
  if (settings.isBeyond && cut === undefined) {
    broke = await goBeyond(benchmark, server, client, settings, mostConnections);
  }
  if (settings.isBeyond || cut !== undefined) client.interrupt();
  const final = await finalResult(client, atEnd);
  reportMillion(benchmark, {
    settings,
    // With steps beyond, the figures are those of the hold.
    snapshot: broke !== undefined && atEnd !== undefined ? atEnd : final,
    base,
    held,
    kernelBefore,
    kernelHeld,
    serverCores: use.server,
    clientCores: use.client,
    otherCores: use.others,
    kernelLines: kernelLines(counters, readKernelCounters()),
    cut,
    broke,
  });
}

/**
 * What the client has left; what it said of itself last where it left nothing, because it took too
 * long to end a million connections.
 */
async function finalResult(
  client: HoldfastClient,
  last: ClientSnapshot | undefined,
): Promise<ClientSnapshot> {
  try {
    return await client.result();
  } catch (error) {
    if (last === undefined) throw error;
    return last;
  }
}

/**
 * Memory of as many processes with a few connections, on which little moves: what they take before
 * the first of a million. The least of several readings.
 */
async function measureBase(
  benchmark: Benchmark,
  server: HoldfastServer,
  settings: MillionSettings,
): Promise<SideMemory> {
  const { workers } = settings;
  await using client = HoldfastClient.start(benchmark, {
    args: [
      ...loadArguments(
        server,
        { ...settings, intervalMs: 5000 },
        baseConnections * workers,
        workers,
      ),
      ...["-t", "60s", "--stats", "127.0.0.1:0"],
    ],
    timeoutMs: 150_000,
  });
  const run = new Run(benchmark, server, client);
  const cut = await run.untilSteady(60_000);
  if (cut !== undefined) throw new Error(`the first connections were not opened: ${cut}`);
  const sides = { server: [] as TreeMemory[], client: [] as TreeMemory[] };
  for (let reading = 0; reading < baseReadings; reading++) {
    await Bun.sleep(reading === 0 ? settings.restMs : settings.restMs / 16);
    const { server, client } = run.memory();
    sides.server.push(server);
    sides.client.push(client);
  }
  const base = { server: leastMemory(sides.server), client: leastMemory(sides.client) };
  client.interrupt();
  await client.result();
  return base;
}

/** A client that runs, and the server that it talks to. */
class Run {
  readonly #startMs = performance.now();
  #cpuFrom: CpuReading | undefined;
  #cpuTo: CpuReading | undefined;
  #serverPids: readonly number[] = [];
  #clientPids: readonly number[] = [];
  #held: SideMemory | undefined;
  #kernelHeld: KernelMemory | undefined;

  constructor(
    private readonly benchmark: Benchmark,
    private readonly server: HoldfastServer,
    private readonly client: HoldfastClient,
  ) {}

  memory(): SideMemory {
    return {
      server: treeMemory(processTree(this.server.pid)),
      client: treeMemory(processTree(this.client.pid)),
    };
  }

  async snapshot(): Promise<ClientSnapshot | undefined> {
    try {
      return await this.client.snapshot();
    } catch {
      return undefined; // it has ended, or has no time to answer
    }
  }

  /** @returns why the connections are not open in time; undefined where they are. */
  async untilSteady(withinMs: number): Promise<string | undefined> {
    const deadlineMs = performance.now() + withinMs;
    for (let saidMs = performance.now();;) {
      const snapshot = await this.snapshot();
      if (this.client.hasEnded) return "the client ended";
      if (snapshot !== undefined && snapshot.phase !== "ramp") return undefined;
      if (performance.now() > deadlineMs) return `not within ${formatElapsed(withinMs)}`;
      const short = memoryShort();
      if (short !== undefined) return short;
      if (performance.now() - saidMs >= progressEveryMs) {
        saidMs = performance.now();
        this.say(snapshot);
      }
      await Bun.sleep(500);
    }
  }

  /** @returns why it ended early; undefined where it did not. */
  async hold(holdMs: number): Promise<string | undefined> {
    const fromMs = performance.now();
    this.#serverPids = processTree(this.server.pid);
    this.#clientPids = processTree(this.client.pid);
    this.#cpuFrom = this.#readCpu();
    for (let saidMs = fromMs;;) {
      const heldMs = performance.now() - fromMs;
      // A second before the end: the processes are all there to be read.
      if (heldMs >= holdMs - 1000 || this.client.hasEnded) break;
      if (this.#held === undefined && heldMs >= settledShare * holdMs) this.#readMemory();
      const short = memoryShort();
      if (short !== undefined) return short;
      if (performance.now() - saidMs >= progressEveryMs) {
        saidMs = performance.now();
        this.say(await this.snapshot());
      }
      await Bun.sleep(200);
    }
    if (!this.client.hasEnded) this.#cpuTo = this.#readCpu();
    return undefined;
  }

  #readMemory(): void {
    this.#held = this.memory();
    this.#kernelHeld = readKernelMemory();
  }

  #readCpu(): CpuReading | undefined {
    try {
      return readCpu([...this.#serverPids, ...this.#clientPids]);
    } catch (error) {
      this.benchmark.report.line(`  the CPU could not be read: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Read towards the end of the hold, or now where it did not come to that. */
  measured() {
    if (this.#held === undefined) this.#readMemory();
    const use = this.#cpuFrom === undefined || this.#cpuTo === undefined
      ? undefined
      : cpuUse(this.#cpuFrom, this.#cpuTo);
    const sum = (shares: readonly number[] | undefined) =>
      shares?.reduce((total, share) => total + share, 0) ?? NaN;
    const servers = this.#serverPids.length;
    return {
      held: this.#held!,
      kernelHeld: this.#kernelHeld!,
      use: {
        server: sum(use?.processes.slice(0, servers)),
        client: sum(use?.processes.slice(servers)),
        others: use?.others ?? NaN,
      },
    };
  }

  /** One line of progress. */
  say(snapshot: ClientSnapshot | undefined): void {
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(0);
    const state = snapshot === undefined ? "no answer from the client" : [
      snapshot.phase.padEnd(6),
      `${formatCount(snapshot.connections.open).padStart(9)} open`,
      `${formatRate(snapshot.connections.achievedPerSecond).padStart(8)} connects`,
      `${formatCount(snapshot.messages.answered).padStart(9)} answered`,
      `${formatCount(totalLost(snapshot.messages.lost))} lost`,
      `${formatCount(snapshot.connections.failed + snapshot.connections.lost)} failed`,
    ].join("  ");
    const available = formatBytes(availableMemoryBytes());
    this.benchmark.report.line(`  ${seconds.padStart(4)} s  ${state}  ${available} available`);
  }
}
