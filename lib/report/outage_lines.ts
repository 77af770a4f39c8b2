import { formatCount } from "../stats/figures.ts";
import type { Outage, OutageReport, ServerSpread } from "../stats/outage.ts";
import { alignRight, hanging, labelColumns, labelled } from "./columns.ts";

/** More than these would hide the rest of the report. */
const mostShown = 10;

/** The section on outages; nothing where they were not watched. */
export function outageLines(report: OutageReport | undefined): string[] {
  if (report === undefined) return [];
  const { total, list } = report;
  if (total === 0) return labelled("outages", "none");
  const shown = list.slice(0, mostShown);
  const rows = [
    [
      "outages",
      "began",
      "connections",
      "half back",
      "99 % back",
      "all back",
      "longest gap",
      "lost",
    ],
    ...shown.map((outage, index) => [
      `  ${index + 1}`,
      seconds(outage.beganMs),
      formatCount(outage.connections),
      seconds(outage.back50Ms),
      seconds(outage.back99Ms),
      seconds(outage.backAllMs),
      seconds(outage.longestGapMs),
      formatCount(outage.lost),
    ]),
  ];
  const [header, ...lines] = alignRight(rows, [labelColumns - 7]);
  const indent = " ".repeat(labelColumns);
  const more = total - shown.length;
  return [
    header!,
    ...lines.flatMap((line, index) => [line, ...remarks(shown[index]!, indent)]),
    ...(more > 0 ? hanging(indent, `and ${formatCount(more)} more`) : []),
  ];
}

/** What the row of an outage has no room for. */
function remarks(outage: Outage, indent: string): string[] {
  const { down, isOver, unsent, duplicated, late, failedAttempts, lostAgain } = outage;
  const facts = [
    ...(down > 0 ? [`${formatCount(down)} still down`] : isOver ? [] : ["just back"]),
    ...counted(unsent, "messages not sent"),
    ...counted(late, "late"),
    ...counted(duplicated, "duplicated"),
    ...counted(failedAttempts, "failed attempts"),
    ...counted(lostAgain, "lost again"),
  ];
  const servers = Object.keys({ ...outage.before, ...outage.after });
  const spread = servers.length > 1
    ? [`before: ${spreadText(outage.before)}`, `after: ${spreadText(outage.after)}`]
    : [];
  return [...(facts.length > 0 ? [facts.join(", ")] : []), ...spread]
    .flatMap((text) => hanging(indent, text));
}

function counted(count: number, what: string): string[] {
  return count > 0 ? [`${formatCount(count)} ${what}`] : [];
}

/** Open connections by server: `a 12, b 8`. */
export function spreadText(spread: Readonly<ServerSpread>): string {
  const entries = Object.entries(spread);
  if (entries.length === 0) return "none";
  return entries.sort(([a], [b]) => a < b ? -1 : 1)
    .map(([server, open]) => `${server} ${formatCount(open)}`).join(", ");
}

/** To the millisecond. */
function seconds(ms: number): string {
  return Number.isFinite(ms) ? `${(ms / 1000).toFixed(3)} s` : "–";
}

/** What a line about a running client says of an outage that it is in; empty where it is in none. */
export function outageNow(report: OutageReport | undefined, elapsedMs: number): string {
  const last = report?.list.at(-1);
  if (last === undefined || last.isOver || last.down === 0) return "";
  return `OUTAGE ${formatCount(last.down)} of ${formatCount(last.connections)} down ` +
    `for ${seconds(elapsedMs - last.beganMs)}`;
}
