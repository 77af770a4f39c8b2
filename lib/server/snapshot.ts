import { mergeServerCounts } from "../stats/merge.ts";
import { readProcessUsage } from "../stats/process_usage.ts";
import { type RunIdentity, schemaVersion, type ServerSnapshot } from "../stats/snapshot.ts";

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
    process: readProcessUsage(),
  };
}
