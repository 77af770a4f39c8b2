import { formatCount, formatElapsed } from "../../lib/stats/figures.ts";
import { totalLost } from "../../lib/stats/metrics.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import type { Benchmark } from "../rig/benchmark.ts";
import { HoldfastClient } from "../rig/holdfast_client.ts";
import type { HoldfastServer } from "../rig/holdfast_server.ts";
import { type MillionSettings, processesFor } from "./arguments.ts";
import { loadArguments, memoryShort } from "./load.ts";

/** The steps beyond take no longer than this. */
export const mostBeyondMs = 270_000;
const stepShare = 0.1;
/** Nothing may break for this long after a step. */
const calmMs = 5000;
/** Ports that one address has towards the server: the kernel's usual range, less some. */
const portsPerAddress = 28_000;

/** The end of the steps. */
export interface Break {
  /** Open at the same time, everything in order. */
  readonly reached: number;
  /** What broke then, or why there was no further step. */
  readonly what: string;
}

/** Opens further connections from further addresses, step by step, until something breaks. */
export async function goBeyond(
  benchmark: Benchmark,
  server: HoldfastServer,
  main: HoldfastClient,
  settings: MillionSettings,
  mostConnections: number,
): Promise<Break> {
  const { report } = benchmark;
  const deadlineMs = performance.now() + mostBeyondMs;
  const stepConnections = Math.ceil(settings.connections * stepShare);
  const steps: HoldfastClient[] = [];
  let reached = settings.connections;
  try {
    for (let step = 1;; step++) {
      if (reached + stepConnections > mostConnections) {
        const what = `no further step: the server's processes hold ${formatCount(mostConnections)}`;
        return { reached, what };
      }
      const stepMs = stepConnections / settings.connectsPerSecond * 1000;
      if (performance.now() + stepMs + calmMs > deadlineMs) {
        return {
          reached,
          what: `nothing until the time (${formatElapsed(mostBeyondMs)}) was over`,
        };
      }
      const workers = processesFor(stepConnections);
      const client = HoldfastClient.start(benchmark, {
        args: [
          ...loadArguments(server, settings, stepConnections, workers),
          ...["--source", sourcesOf(step, stepConnections)],
          ...["-t", `${mostBeyondMs}ms`, "--stats", "127.0.0.1:0"],
        ],
        timeoutMs: 2 * mostBeyondMs,
      });
      steps.push(client);
      const what = await broken(client, [main, ...steps], deadlineMs);
      if (what !== undefined) return { reached, what };
      reached += stepConnections;
      report.line(`  ${formatCount(reached)} open, and nothing has broken`);
    }
  } finally {
    for (const client of steps) client.interrupt();
    await Promise.allSettled(steps.map((client) => client.result()));
  }
}

/** Addresses of a step's own: no other connection has their ports. */
export function sourcesOf(step: number, connections: number): string {
  const count = Math.ceil(connections / portsPerAddress);
  return Array.from({ length: count }, (_, i) => `127.${1 + step}.0.${1 + i}`).join(",");
}

/**
 * Waits until a step is open and calm.
 *
 * @returns what broke meanwhile, anywhere; undefined where nothing did.
 */
async function broken(
  step: HoldfastClient,
  all: readonly HoldfastClient[],
  deadlineMs: number,
): Promise<string | undefined> {
  let calmFromMs = Infinity;
  while (performance.now() < deadlineMs) {
    const short = memoryShort();
    if (short !== undefined) return short;
    for (const client of all) {
      if (client.hasEnded) return "a client ended";
      const what = await troubleOf(client);
      if (what !== undefined) return what;
    }
    const now = performance.now();
    if (calmFromMs === Infinity && await isSteady(step)) calmFromMs = now;
    if (now - calmFromMs >= calmMs) return undefined;
    await Bun.sleep(1000);
  }
  return `not all connections of the step were open in time`;
}

async function isSteady(client: HoldfastClient): Promise<boolean> {
  const snapshot = await snapshotOf(client);
  return snapshot !== undefined && snapshot.phase === "steady";
}

async function snapshotOf(client: HoldfastClient): Promise<ClientSnapshot | undefined> {
  try {
    return await client.snapshot();
  } catch {
    return undefined; // not ready yet, or too busy to answer
  }
}

/** What has gone wrong on the connections of a client; undefined where nothing has. */
async function troubleOf(client: HoldfastClient): Promise<string | undefined> {
  const snapshot = await snapshotOf(client);
  if (snapshot === undefined) return undefined;
  const { connections, messages } = snapshot;
  const [failure] = connections.failures;
  if (failure !== undefined) {
    return `${formatCount(connections.failed)} connections failed and ` +
      `${formatCount(connections.lost)} were lost: ${failure.kind} (${failure.firstDetail})`;
  }
  const lost = totalLost(messages.lost);
  return lost === 0 ? undefined : `${formatCount(lost)} messages were lost`;
}
