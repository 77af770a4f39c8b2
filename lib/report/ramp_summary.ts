import { formatCount, formatDuration, formatElapsed } from "../stats/figures.ts";
import type { LimitSide, RampReport, RampRow } from "../stats/ramp.ts";
import { alignRight, labelled, labelledList } from "./columns.ts";

const sideNames: Record<LimitSide, string> = {
  client: "on this host",
  server: "on the server",
  path: "in the network",
  "peer-or-path": "at the server or on the way to it",
};

/** The part of a client's report about a ramp: its table, where it broke, the limit. */
export function rampSummary(ramp: RampReport | undefined): string[] {
  if (ramp === undefined) return [];
  return [...table(ramp), "", ...outcome(ramp)];
}

function table({ rows, knee }: RampReport): string[] {
  const mark = (row: RampRow) =>
    knee !== undefined && row.fromMs <= knee.atMs && knee.atMs < row.untilMs
      ? "  <- issues started"
      : "";
  const lines = alignRight([
    ["connections", "until", "average", "shortest", "longest", "p99", "lost", "failed", "closed"],
    ...rows.map((row) => [
      formatCount(row.connections),
      formatElapsed(row.untilMs),
      formatDuration(row.meanNs),
      formatDuration(row.minNs),
      formatDuration(row.maxNs),
      formatDuration(row.p99Ns),
      formatCount(row.lost),
      formatCount(row.failed),
      formatCount(row.closed),
    ]),
  ]);
  return lines.map((line, index) => index === 0 ? line : `${line}${mark(rows[index - 1]!)}`);
}

function outcome({ conditions, knee, limit }: RampReport): string[] {
  const lines = labelled("broken when", `${conditions.join(", ")} for 3 s running`);
  if (knee === undefined) lines.push(...labelled("knee", "none: nothing broke"));
  else {
    lines.push(...labelled(
      "knee",
      `issues started at ${formatCount(knee.connections)} active connections, after ` +
        formatElapsed(knee.atMs),
    ));
  }
  if (limit === undefined) return lines;
  return [
    ...lines,
    ...labelled("limit", `${limit.name}, ${sideNames[limit.side]}`),
    ...labelledList("evidence", limit.evidence, "- "),
  ];
}
