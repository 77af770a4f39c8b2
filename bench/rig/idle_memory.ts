import type { Benchmark } from "./benchmark.ts";
import { median } from "./goal.ts";
import { HoldfastClient } from "./holdfast_client.ts";
import { HoldfastServer } from "./holdfast_server.ts";
import { readKernelMemory, readMemory } from "./process_figures.ts";

/** After the last connection has opened, until garbage collectors have settled. */
const settleMs = 15_000;
const samples = 9;
const sampleEveryMs = 500;
const rampTimeoutMs = 60_000;

/** Memory of both sides while they hold connections on which nothing moves, in bytes. */
export interface IdleMemory {
  readonly open: number;
  readonly server: { readonly rssBytes: number; readonly anonymousBytes: number };
  readonly client: { readonly rssBytes: number; readonly anonymousBytes: number };
  /** What the kernel has for all of the machine: objects, page tables, per-CPU memory. */
  readonly kernelBytes: number;
}

/** Opens connections between two fresh processes and reads their memory when it has settled. */
export async function measureIdleMemory(
  benchmark: Benchmark,
  listenOn: string,
  connections: number,
  clientArgs: readonly string[],
): Promise<IdleMemory> {
  await using server = await HoldfastServer.start(benchmark, [listenOn]);
  const holdMs = settleMs + samples * sampleEveryMs + 15_000;
  await using client = HoldfastClient.start(benchmark, {
    args: [server.target, "-c", `${connections}`, ...clientArgs, "-t", `${holdMs}ms`],
    timeoutMs: rampTimeoutMs + holdMs,
  });
  await client.steady;
  await Bun.sleep(settleMs);
  const sides = [server, client].map(({ pid }) => ({
    pid,
    rss: [] as number[],
    anonymous: [] as number[],
  }));
  const kernel: number[] = [];
  for (let i = 0; i < samples; i++) {
    kernel.push(readKernelMemory());
    for (const { pid, rss, anonymous } of sides) {
      const memory = readMemory(pid);
      rss.push(memory.rssBytes);
      anonymous.push(memory.anonymousBytes);
    }
    await Bun.sleep(sampleEveryMs);
  }
  client.interrupt();
  const { connections: { open } } = await client.result();
  const [ofServer, ofClient] = sides.map(({ rss, anonymous }) => ({
    rssBytes: median(rss),
    anonymousBytes: median(anonymous),
  }));
  return { open, server: ofServer!, client: ofClient!, kernelBytes: median(kernel) };
}
