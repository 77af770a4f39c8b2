import { readdirSync, statSync } from "node:fs";
import type { ProcessUsage } from "./snapshot.ts";

/**
 * CPU, memory and descriptors of this process; about 20 µs. `openFds` is NaN where the system does
 * not tell.
 */
export function readProcessUsage(): ProcessUsage {
  const cpu = process.cpuUsage();
  return {
    cpuUserSeconds: cpu.user / 1e6,
    cpuSystemSeconds: cpu.system / 1e6,
    rssBytes: process.memoryUsage.rss(),
    openFds: countOpenFds(),
  };
}

let lastListing = { atMs: -Infinity, openFds: NaN };

/**
 * Since Linux 6.2 the size of /proc/self/fd is the number of descriptors (proc(5)). Elsewhere they
 * must be listed, which takes milliseconds when there are thousands: at most every 5 seconds.
 */
function countOpenFds(): number {
  const size = statSync("/proc/self/fd", { throwIfNoEntry: false })?.size ?? 0;
  if (size > 0) return size;
  const nowMs = performance.now();
  if (nowMs - lastListing.atMs > 5_000) {
    lastListing = { atMs: nowMs, openFds: listOpenFds() };
  }
  return lastListing.openFds;
}

function listOpenFds(): number {
  for (const directory of ["/proc/self/fd", "/dev/fd"]) {
    try {
      // The listing itself holds one descriptor.
      return readdirSync(directory).length - 1;
    } catch {
      // Not on this system.
    }
  }
  return NaN;
}
