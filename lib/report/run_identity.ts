import { hostname } from "node:os";
import process from "node:process";
import type { CommandLine } from "../options/command_line.ts";
import { type Label, labelRecord } from "../options/label.ts";
import type { RunIdentity } from "../stats/snapshot.ts";

/**
 * Says which run it is: this process, from now on.
 *
 * @param startsAtMs when it starts (since 1970), where that is not now.
 */
export function identityOf(
  { settings, rendered, version }: Pick<
    CommandLine<{ readonly labels: readonly Label[] }>,
    "settings" | "rendered" | "version"
  >,
  startsAtMs: number = Date.now(),
): RunIdentity {
  return {
    version,
    host: hostname(),
    pid: process.pid,
    startedAt: new Date(startsAtMs).toISOString(),
    labels: labelRecord(settings.labels),
    settings: rendered,
  };
}
