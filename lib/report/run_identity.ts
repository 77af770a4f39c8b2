import { hostname } from "node:os";
import process from "node:process";
import type { CommandLine } from "../options/command_line.ts";
import { type Label, labelRecord } from "../options/label.ts";
import type { RunIdentity } from "../stats/snapshot.ts";

/** Says which run it is: this process, from now on. */
export function identityOf(
  { settings, rendered, version }: Pick<
    CommandLine<{ readonly labels: readonly Label[] }>,
    "settings" | "rendered" | "version"
  >,
): RunIdentity {
  return {
    version,
    host: hostname(),
    pid: process.pid,
    startedAt: new Date().toISOString(),
    labels: labelRecord(settings.labels),
    settings: rendered,
  };
}
