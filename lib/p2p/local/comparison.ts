import { alignRight, labelColumns } from "../../report/columns.ts";
import {
  formatBytes,
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatShare,
} from "../../stats/figures.ts";
import { summarize } from "../../stats/histogram_summary.ts";
import { delaysOf } from "../snapshot.ts";
import { lostOf } from "./delivery_counts.ts";
import { loadText } from "./network_summary.ts";
import type { NetworkSnapshot } from "./snapshot.ts";

const dash = "–";

/** Runs of several protocols side by side, a column each. */
export function comparison(runs: readonly NetworkSnapshot[]): string[] {
  const rows: string[][] = [];
  const add = (label: string, of: (run: NetworkSnapshot) => string) =>
    rows.push([label, ...runs.map(of)]);
  add("", ({ protocol }) => protocol);
  add("full mesh", ({ fullMeshAfterMs }) => formatElapsed(fullMeshAfterMs));
  add("messages sent", ({ deliveries }) => formatCount(deliveries.sent));
  add("  of those due", ({ deliveries, broadcast }) => share(deliveries.sent, broadcast.due));
  add("deliveries", ({ deliveries }) => formatCount(deliveries.expected));
  add("  made", ({ deliveries: { delivered, expected } }) => share(delivered, expected));
  add("  lost", ({ deliveries }) => formatCount(lostOf(deliveries)));
  add("  not known", ({ deliveries }) => formatCount(deliveries.unknown));
  add("duplicated", ({ deliveries }) => formatCount(deliveries.duplicated));
  add("out of order", ({ deliveries }) => formatCount(deliveries.outOfOrder));
  for (const [label, key] of delays) {
    add(label, ({ histograms }) => formatDuration(summarize(delaysOf(histograms))[key]));
  }
  add("all had it, p50", ({ histograms }) => formatDuration(histograms.reach100.percentileNs(50)));
  add("  p99", ({ histograms }) => formatDuration(histograms.reach100.percentileNs(99)));
  add("CPU of all", ({ nodes }) => formatCores(sum(nodes.map(({ cpuShare }) => cpuShare))));
  add("memory of all", ({ nodes }) => formatBytes(sum(nodes.map(({ rssBytes }) => rssBytes))));
  if (runs.some(({ explore }) => explore !== undefined)) add("sustained", sustainedText);
  add("verdict", ({ verdict }) => verdict?.kind ?? dash);
  const [first] = runs;
  return [
    `holdfast p2p local: ${runs.length} protocols compared` +
    (first === undefined ? "" : `, ${loadText(first)}`),
    "",
    ...alignRight(rows, [labelColumns - 2]),
  ];
}

const delays = [
  ["delivery p50", "p50Ns"],
  ["  p99", "p99Ns"],
  ["  max", "maxNs"],
] as const;

/** Bytes per second of the highest combination that was sustained. */
function sustainedText({ explore }: NetworkSnapshot): string {
  const rates = explore?.trials.filter(({ isSustained }) => isSustained)
    .map(({ askedBytesPerSecond }) => askedBytesPerSecond) ?? [];
  return rates.length === 0 ? "none" : `${formatBytes(Math.max(...rates))}/s`;
}

function share(count: number, whole: number): string {
  return whole > 0 ? formatShare(count / whole) : dash;
}

/** NaN counts as nothing: a node that ended used nothing more. */
function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + (Number.isFinite(value) ? value : 0), 0);
}
