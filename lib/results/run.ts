import { type ExitCode, exitCodes, UsageError } from "../errors.ts";
import type { CommandLine } from "../options/command_line.ts";
import { clientSummary } from "../report/client_summary.ts";
import { alignRight } from "../report/columns.ts";
import { HdrLog } from "../report/hdr_log.ts";
import type { Io } from "../report/io.ts";
import { writeSnapshotJson } from "../report/json.ts";
import { openOutput, type Output } from "../report/output.ts";
import { serverSummary } from "../report/server_report.ts";
import { type Expectation, parseExpectation } from "../stats/expectations.ts";
import { rampExitCode } from "../stats/ramp_verdict.ts";
import { formatCount, formatDuration, formatElapsed, formatRate } from "../stats/figures.ts";
import type { ClientSnapshot, ServerSnapshot, Snapshot } from "../stats/snapshot.ts";
import { withoutAnswers, withoutConnections } from "../stats/stop_reason.ts";
import { exitCodeOf } from "../stats/verdict.ts";
import { combineClients, combineServers, nameParts, type Part } from "./combine.ts";
import type { ReportSettings } from "./options.ts";
import { asResultSet, readResult, type ResultSet } from "./result_files.ts";

/**
 * `holdfast report`: adds the results of several hosts into one.
 *
 * @returns the exit code of the verdict over all of them, as a client has it for one.
 * @throws {FileError} a file cannot be read, is no result, or cannot be written.
 * @throws {UsageError} the results are not of one measurement, or have not what was asked for.
 */
// Async, so that what it throws is a rejection.
// deno-lint-ignore require-await
export async function run(
  { positional, settings }: CommandLine<ReportSettings>,
  io: Io,
  _signal: AbortSignal,
): Promise<ExitCode> {
  const expectations = settings.expectations.map(parseExpectation);
  const results = asResultSet(positional.map(readResult));
  requireClients(results, settings);
  const output = openOutput(settings.outputFile, io);
  try {
    return results.role === "client"
      ? reportClients(nameParts(snapshotsOf(results)), expectations, settings, output)
      : reportServers(nameParts(snapshotsOf(results)), settings, output);
  } finally {
    output.close();
  }
}

/** @throws {UsageError} servers measure no times, so that there is nothing to expect or to log. */
function requireClients({ role, files }: ResultSet, settings: ReportSettings): void {
  if (role === "client") return;
  const asked = settings.format === "hdr"
    ? "--format hdr"
    : settings.expectations.length > 0
    ? "--expect"
    : undefined;
  if (asked === undefined) return;
  throw new UsageError(
    `${asked} is about results of clients; ${files[0]!.path} is that of a server`,
  );
}

function snapshotsOf<T extends Snapshot>(
  { files }: { readonly files: readonly { readonly snapshot: T }[] },
): T[] {
  return files.map(({ snapshot }) => snapshot);
}

function reportClients(
  parts: readonly Part<ClientSnapshot>[],
  expectations: readonly Expectation[],
  { format }: ReportSettings,
  output: Output,
): ExitCode {
  const combined = combineClients(parts, expectations);
  if (format === "json") writeSnapshotJson(output, combined);
  else if (format === "hdr") writeHdr(output, combined, parts);
  else writeLines(output, [...clientTable(parts), ...clientSummary(combined)]);
  return exitCode([combined, ...snapshotsOf({ files: parts })]);
}

/** As a run with these figures would have ended, but for interruptions: this one was none. */
function exitCode(
  [combined, ...parts]: readonly [ClientSnapshot, ...(readonly ClientSnapshot[])],
): ExitCode {
  if (combined.verdict?.kind !== "stopped-by-limit") return exitCodeOf(combined.verdict, false);
  const ofRamp = rampExitCode(combined.ramp, combined.verdict);
  if (ofRamp !== undefined) return ofRamp;
  for (const snapshot of [combined, ...parts]) {
    const stop = withoutConnections(snapshot);
    if (stop?.isOfHost === true) return exitCodes.hostLimit;
    if (stop !== undefined || withoutAnswers(snapshot) !== undefined) {
      return exitCodes.targetUnreachable;
    }
  }
  // Ramps, which have found what they were for.
  const areMet = combined.verdict.expectations.every(({ passed }) => passed);
  return areMet ? exitCodes.ok : exitCodes.expectationFailed;
}

function reportServers(
  parts: readonly Part<ServerSnapshot>[],
  { format }: ReportSettings,
  output: Output,
): ExitCode {
  const combined = combineServers(parts);
  if (format === "json") writeSnapshotJson(output, combined);
  else writeLines(output, [...serverTable(parts), ...serverSummary(combined)]);
  return exitCodes.ok;
}

/** The figures of each host, where there is more than one. */
function clientTable(parts: readonly Part<ClientSnapshot>[]): string[] {
  if (parts.length === 1) return [];
  const rows = parts.map((
    { name, snapshot: { connections, achievedRate, histograms, verdict } },
  ) => [
    name,
    formatCount(connections.opened),
    formatRate(connections.achievedPerSecond),
    formatRate(achievedRate),
    formatDuration(histograms.response.percentileNs(50)),
    formatDuration(histograms.response.percentileNs(99)),
    formatDuration(histograms.response.maxNs),
    verdict?.kind ?? "–",
  ]);
  const header = ["host", "opened", "connects", "messages", "p50", "p99", "max", "verdict"];
  return [...alignRight([header, ...rows]), ""];
}

function serverTable(parts: readonly Part<ServerSnapshot>[]): string[] {
  if (parts.length === 1) return [];
  const rows = parts.map(({ name, snapshot: { elapsedMs, total } }) => [
    name,
    formatElapsed(elapsedMs),
    formatCount(total.open),
    formatCount(total.accepted),
    formatCount(total.messages),
  ]);
  return [...alignRight([["host", "ran", "open", "accepted", "messages"], ...rows]), ""];
}

/** One interval, from the first start to the last end: the results have no others. */
function writeHdr(
  output: Output,
  { run, histograms, endpoint }: ClientSnapshot,
  parts: readonly Part<ClientSnapshot>[],
): void {
  const startedAtMs = Date.parse(run.startedAt);
  const endMs = Math.max(
    ...parts.map(({ snapshot }) => Date.parse(snapshot.run.startedAt) + snapshot.elapsedMs),
  );
  const comments = [
    `holdfast ${run.version}, ${endpoint}`,
    ...parts.map(({ name, snapshot }) => `${name}, started ${snapshot.run.startedAt}`),
  ];
  new HdrLog(output, { startedAtMs, comments }).interval(0, endMs - startedAtMs, { ...histograms });
}

function writeLines(output: Output, lines: readonly string[]): void {
  output.write(new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
}
