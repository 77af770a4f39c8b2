import { mergeServerCounts } from "../stats/merge.ts";
import { readProcessUsage } from "../stats/process_usage.ts";
import {
  type ProcessUsage,
  type RunIdentity,
  schemaVersion,
  type ServerSnapshot,
} from "../stats/snapshot.ts";

let lastUsage: ProcessUsage = {
  cpuUserSeconds: 0,
  cpuSystemSeconds: 0,
  rssBytes: NaN,
  openFds: NaN,
};

/** All that the server knows at this instant; the total is the sum of its endpoints. */
export function serverSnapshot(
  run: RunIdentity,
  elapsedMs: number,
  endpoints: ServerSnapshot["endpoints"],
): ServerSnapshot {
  return {
    schemaVersion,
    role: "server",
    run,
    elapsedMs,
    endpoints,
    total: mergeServerCounts(endpoints.map(({ counts }) => counts)),
    process: processUsage(),
  };
}

/** Reading it takes a descriptor: where there is none left, what was read last. */
function processUsage(): ProcessUsage {
  try {
    lastUsage = readProcessUsage();
  } catch {
    // A report without fresh figures is better than a server that ends for want of them.
  }
  return { ...lastUsage };
}
