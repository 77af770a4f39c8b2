import { formatCount } from "./figures.ts";
import type { OutageReport } from "./outage.ts";

/** What a verdict says of the outages of a run: they are a result, and nobody's fault here. */
export function outageReasons(report: OutageReport | undefined): string[] {
  if (report === undefined || report.total === 0) return [];
  const { total, list } = report;
  const most = Math.max(...list.map(({ connections }) => connections));
  const longestMs = Math.max(...list.map(({ longestGapMs }) => longestGapMs));
  const down = list.reduce((sum, outage) => sum + outage.down, 0);
  const what = total === 1 ? "There was an outage" : `There were ${formatCount(total)} outages`;
  return [
    `${what}: up to ${formatCount(most)} connections were down, one for ` +
    `${(longestMs / 1000).toFixed(3)} s` +
    (down > 0 ? `; ${formatCount(down)} were still down at the end.` : "; all came back."),
  ];
}
