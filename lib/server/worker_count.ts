import { availableParallelism } from "node:os";
import { UsageError } from "../errors.ts";
import type { ServerSettings } from "./options.ts";

/**
 * How many processes serve: what `--workers` says; `auto` is one for each core.
 *
 * @throws {UsageError} more of them than connections that may be open.
 */
export function workerCount(settings: ServerSettings): number {
  const { workers = 1, maxConnections = Infinity } = settings;
  const count = workers === "auto" ? Math.min(availableParallelism(), maxConnections) : workers;
  if (count > maxConnections) {
    throw new UsageError(
      `--max-connections ${maxConnections} cannot be divided among --workers ${workers}; ` +
        `give each worker a connection at least`,
    );
  }
  return count;
}
