import { readFileSync } from "node:fs";

const pageBytes = 4096;

/** What the kernel holds in memory at one instant. */
export interface KernelMemory {
  /** Bytes of the slab caches by name, whole slabs. */
  readonly slabs: ReadonlyMap<string, number>;
  /** Bytes of data in the buffers of TCP sockets. */
  readonly tcpBufferBytes: number;
  /** TCP sockets that are open, this network namespace. */
  readonly tcpSockets: number;
  readonly availableBytes: number;
  readonly freeBytes: number;
}

export function readKernelMemory(): KernelMemory {
  const meminfo = contentOf("/proc/meminfo");
  return {
    slabs: parseSlabs(contentOf("/proc/slabinfo")),
    ...parseSockstat(contentOf("/proc/net/sockstat")),
    availableBytes: fieldBytes(meminfo, "MemAvailable"),
    freeBytes: fieldBytes(meminfo, "MemFree"),
  };
}

/**
 * Bytes by cache, from `/proc/slabinfo` (slabinfo(5)): a line is `name <active_objs> <num_objs>
 * <objsize> <objperslab> <pagesperslab> : tunables … : slabdata <active_slabs> <num_slabs> …`.
 */
export function parseSlabs(text: string): Map<string, number> {
  const slabs = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = /^(\S+) +\d+ +\d+ +\d+ +\d+ +(\d+) :.*: slabdata +\d+ +(\d+)/.exec(line);
    if (match === null) continue;
    slabs.set(match[1]!, Number(match[2]) * Number(match[3]) * pageBytes);
  }
  return slabs;
}

/** The line `TCP: inuse 5 orphan 0 tw 1 alloc 6 mem 2`, memory in pages. */
export function parseSockstat(text: string): Pick<KernelMemory, "tcpBufferBytes" | "tcpSockets"> {
  const [, inUse, pages] = /^TCP: inuse (\d+) .*\bmem (\d+)/m.exec(text) ?? [];
  return { tcpSockets: Number(inUse), tcpBufferBytes: Number(pages) * pageBytes };
}

function fieldBytes(meminfo: string, name: string): number {
  return Number(new RegExp(`^${name}: +(\\d+) kB$`, "m").exec(meminfo)?.[1]) * 1024;
}

/** NaN stands in for what cannot be read: slabinfo is for root alone. */
function contentOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** By how much the kernel's memory has grown. */
export interface KernelGrowth {
  /** NaN where the caches cannot be read. */
  readonly slabBytes: number;
  /** The caches that have grown most. */
  readonly largest: readonly { readonly name: string; readonly bytes: number }[];
  readonly tcpBufferBytes: number;
  /** By how much less is available to programs, whoever has it. */
  readonly availableBytes: number;
}

/** Grows with each file under `/proc` that is read. */
const ofMeasuring = "proc_inode_cache";

export function growthOf(before: KernelMemory, after: KernelMemory): KernelGrowth {
  const grown = [...after.slabs].filter(([name]) => name !== ofMeasuring).map(([name, bytes]) => ({
    name,
    bytes: bytes - (before.slabs.get(name) ?? 0),
  }));
  return {
    slabBytes: grown.length === 0 ? NaN : grown.reduce((sum, { bytes }) => sum + bytes, 0),
    largest: grown.sort((a, b) => b.bytes - a.bytes).slice(0, 6),
    tcpBufferBytes: after.tcpBufferBytes - before.tcpBufferBytes,
    availableBytes: before.availableBytes - after.availableBytes,
  };
}
