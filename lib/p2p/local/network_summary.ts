import { alignRight, labelColumns, labelled, labelledList } from "../../report/columns.ts";
import { expectationLines, verdictLines } from "../../report/verdict_lines.ts";
import {
  formatBytes,
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatRate,
  formatShare,
} from "../../stats/figures.ts";
import type { Histogram } from "../../stats/histogram.ts";
import { summarize } from "../../stats/histogram_summary.ts";
import { negativeText, type OneWayDelays } from "../one_way_delays.ts";
import { broadcastDropReasons, delaysOf, totalDropped } from "../snapshot.ts";
import { lostOf } from "./delivery_counts.ts";
import { sizeText } from "../size_text.ts";
import type { NetworkSnapshot, NetworkTrial, NodeReportRow } from "./snapshot.ts";

/** The final report of a network, at most 100 columns wide. */
export function networkSummary(snapshot: NetworkSnapshot): string[] {
  return sections([
    title(snapshot),
    messages(snapshot),
    times(snapshot),
    reach(snapshot),
    trialTable(snapshot),
    nodeTable(snapshot),
    expectationLines(snapshot.verdict),
    verdictLines(snapshot.verdict, "the run did not go as planned"),
  ]);
}

/** Paragraphs with an empty line between them. */
export function sections(all: readonly (readonly string[])[]): string[] {
  return all.filter((section) => section.length > 0)
    .flatMap((section, index) => index === 0 ? section : ["", ...section]);
}

/** What is broadcast, by whom. */
export function loadText(snapshot: NetworkSnapshot): string {
  const { mode, numNodes, broadcaster, messageBytes, heartbeatMs, explore } = snapshot;
  const load = `${sizeText(messageBytes)} every ${heartbeatMs} ms`;
  switch (mode) {
    case "all":
      return `${load} from each of ${numNodes} nodes`;
    case "one":
      return `${load} from node ${broadcaster} to ${numNodes - 1} others`;
    case "rr":
      return `${load} from ${numNodes} nodes in turn`;
    case "explore":
      return `${explore?.planned ?? 0} combinations of size and heartbeat, from node ` +
        `${broadcaster} to ${numNodes - 1} others`;
  }
}

function title(snapshot: NetworkSnapshot): string[] {
  const { protocol, numNodes, elapsedMs, fullMeshAfterMs, interrupted } = snapshot;
  const labels = Object.entries(snapshot.run.labels).map(([key, value]) => `${key}=${value}`);
  return [
    `holdfast p2p local: ${numNodes} nodes, ${protocol}`,
    ...labelled("load", loadText(snapshot)),
    ...labelled(
      "time",
      `${broadcastingText(snapshot)} in ${formatElapsed(elapsedMs)}` +
        (interrupted ? ", interrupted" : ""),
    ),
    ...labelled(
      "full mesh",
      Number.isFinite(fullMeshAfterMs)
        ? `${formatElapsed(fullMeshAfterMs)} after the first node was started`
        : "never",
    ),
    ...(labels.length > 0 ? labelled("labels", labels.join(", ")) : []),
  ];
}

/** The counts are of both parts. */
function broadcastingText({ runningMs, warmupMs }: NetworkSnapshot): string {
  const text = `${formatElapsed(Math.max(0, runningMs - warmupMs))} of broadcasting`;
  if (warmupMs === 0) return text;
  return `${text} after ${formatElapsed(Math.min(runningMs, warmupMs))} of warm-up`;
}

function messages(snapshot: NetworkSnapshot): string[] {
  const { broadcast, deliveries, runningMs, protocol, numNodes } = snapshot;
  const { expected, delivered, missed, missedWhileDown, unknown, inFlight } = deliveries;
  const rows: [string, string, string, string][] = [];
  const add = (label: string, count: number, whole: number, remark = "") =>
    rows.push([label, formatCount(count), whole > 0 ? formatShare(count / whole) : "", remark]);
  add("messages due", broadcast.due, 0);
  const rate = formatRate(deliveries.sent / (runningMs / 1000));
  add("  sent", deliveries.sent, broadcast.due, `of those due; ${rate} together`);
  const dropped = totalDropped(broadcast);
  if (dropped > 0) {
    const reasons = broadcastDropReasons.filter((reason) => broadcast.dropped[reason] > 0)
      .map((reason) => `${formatCount(broadcast.dropped[reason])} ${reason}`);
    add("  dropped", dropped, broadcast.due, reasons.join(", "));
  }
  if (broadcast.queued > 0) add("  queued", broadcast.queued, broadcast.due);
  if (broadcast.gone > 0) {
    add("  gone", broadcast.gone, broadcast.due, "with their node, before they were sent");
  }
  const receivers = protocol === "sqmr" ? "one node each" : `${numNodes - 1} nodes each`;
  rows.push(["deliveries", formatCount(expected), "", `to ${receivers}`]);
  add("  made", delivered, expected);
  add("  lost", lostOf(deliveries), expected, lossText(missed, missedWhileDown));
  if (unknown > 0) add("  not known", unknown, expected, "at nodes that ended with what they knew");
  if (inFlight > 0) add("  in flight", inFlight, expected);
  const lines = alignRight(rows.map(([label, count, share]) => [label, count, share]), [
    labelColumns - 2,
    12,
    10,
  ]);
  const width = Math.max(...lines.map((line) => line.length)) + 2;
  return [
    ...lines.map((line, index) => `${line.padEnd(width)}${rows[index]![3]}`.trimEnd()),
    ...copies(snapshot),
    ...anomalies(snapshot),
  ];
}

function lossText(missed: number, whileDown: number): string {
  if (whileDown === 0) return "";
  return `${formatCount(missed)} at nodes that were up, ${formatCount(whileDown)} at nodes that ` +
    "were down";
}

/** What gossipsub sends beside the first copies is no anomaly, and costs as much as they do. */
function copies({ removedCopies, deliveries: { delivered } }: NetworkSnapshot): string[] {
  if (removedCopies === 0) return [];
  const each = delivered > 0 ? `, ${(removedCopies / delivered).toFixed(2)} for each delivery` : "";
  return labelled("copies", `${formatCount(removedCopies)} more, which gossipsub removed${each}`);
}

function anomalies({ deliveries, overflowed }: NetworkSnapshot): string[] {
  const { duplicated, receivedAgain, outOfOrder, late, foreign } = deliveries;
  const found = [
    [duplicated, "duplicated"],
    [receivedAgain, "received again after a restart"],
    [outOfOrder, "out of order"],
    [late, "too late to count"],
    [foreign, "of foreign senders"],
    [overflowed, "beyond --buffer-size as they came in"],
  ] as const;
  const texts = found.filter(([count]) => count > 0)
    .map(([count, what]) => `${formatCount(count)} ${what}`);
  return labelled("anomalies", texts.length === 0 ? "none" : texts.join(", "));
}

function times({ histograms, reach }: NetworkSnapshot): string[] {
  const rows = [["", "min", "mean", "p50", "p90", "p99", "p99.9", "max"]];
  const add = (label: string, histogram: Histogram | OneWayDelays) => {
    const { minNs, meanNs, p50Ns, p90Ns, p99Ns, p999Ns, maxNs } = summarize(histogram);
    const figures = [minNs, meanNs, p50Ns, p90Ns, p99Ns, p999Ns, maxNs];
    rows.push([label, ...figures.map(formatDuration)]);
  };
  const delays = delaysOf(histograms);
  add("delivery", delays);
  if (reach.length > 0) {
    add("  to 50 %", histograms.reach50);
    add("  to 99 %", histograms.reach99);
    add("  to all", histograms.reach100);
  }
  add("send delay", histograms.sendDelay);
  add("  own lateness", histograms.lateness);
  if (histograms.ping.count > 0) add("ping", histograms.ping);
  return [
    ...alignRight(rows, [labelColumns - 2, 9, 9, 9, 9, 9, 9, 9]),
    ...(delays.negativeCount === 0 ? [] : labelled("negative", negativeText(delays))),
  ];
}

/** Where not every message reached everyone. */
function reach({ reach }: NetworkSnapshot): string[] {
  const lines = reach.filter(({ notReached, unknown }) => notReached + unknown > 0)
    .map(({ share, reached, notReached, unknown }) => {
      const total = reached + notReached + unknown;
      const whom = share === 1 ? "all others" : `${share * 100} % of the others`;
      return `${formatCount(reached)} of ${formatCount(total)} messages reached ${whom}` +
        (unknown > 0 ? `; of ${formatCount(unknown)} it is not known` : "");
    });
  return lines.length === 0 ? [] : labelledList("reach", lines);
}

/** A column of the table of nodes. */
interface Column {
  readonly head: string;
  text(node: NodeReportRow): string;
  /** Left out where no node has anything to say in it. */
  isNeeded?(node: NodeReportRow): boolean;
}

const nodeColumns: readonly Column[] = [
  { head: "node", text: ({ id }) => `${id}` },
  { head: "state", text: ({ state }) => state },
  { head: "starts", text: ({ starts }) => `${starts}`, isNeeded: ({ starts }) => starts > 1 },
  { head: "peers", text: ({ mostPeers }) => `${mostPeers}` },
  { head: "sent", text: ({ sent }) => formatCount(sent) },
  { head: "received", text: ({ delivered }) => formatCount(delivered) },
  { head: "lost", text: ({ missed, missedWhileDown }) => formatCount(missed + missedWhileDown) },
  {
    head: "unknown",
    text: ({ unknown }) => formatCount(unknown),
    isNeeded: ({ unknown }) => unknown > 0,
  },
  {
    head: "twice",
    text: ({ duplicated }) => formatCount(duplicated),
    isNeeded: ({ duplicated }) => duplicated > 0,
  },
  {
    head: "disordered",
    text: ({ outOfOrder }) => formatCount(outOfOrder),
    isNeeded: ({ outOfOrder }) => outOfOrder > 0,
  },
  { head: "p50", text: ({ delivery }) => formatDuration(delivery.p50Ns) },
  { head: "p99", text: ({ delivery }) => formatDuration(delivery.p99Ns) },
  { head: "CPU", text: ({ cpuShare }) => Number.isFinite(cpuShare) ? cpuShare.toFixed(2) : "–" },
  { head: "RSS", text: ({ rssBytes }) => formatBytes(rssBytes) },
];

function nodeTable({ nodes }: NetworkSnapshot): string[] {
  const columns = nodeColumns.filter(({ isNeeded }) =>
    isNeeded === undefined || nodes.some(isNeeded)
  );
  const rows = [
    columns.map(({ head }) => head),
    ...nodes.map((node) => columns.map(({ text }) => text(node))),
  ];
  const total = nodes.reduce((sum, { cpuShare }) => sum + (cpuShare || 0), 0);
  return [...alignRight(rows), ...labelled("CPU of all", formatCores(total))];
}

/** The trials of `explore`. */
function trialTable({ explore, numNodes }: NetworkSnapshot): string[] {
  if (explore === undefined) return [];
  const rows = [[
    ...["size", "every", "asked", "delivered", "share", "p50", "p99", "CPU", ""],
  ]];
  for (const trial of explore.trials) rows.push(trialRow(trial, numNodes));
  return [
    ...labelled("explored", `${explore.trials.length} of ${explore.planned} combinations`),
    ...(rows.length > 1 ? alignRight(rows) : []),
  ];
}

function trialRow(trial: NetworkTrial, numNodes: number): string[] {
  const { counts } = trial;
  return [
    sizeText(trial.messageBytes),
    `${trial.heartbeatMs} ms`,
    `${formatBytes(trial.askedBytesPerSecond)}/s`,
    `${formatBytes(trial.deliveredBytesPerSecond)}/s`,
    formatShare(counts.delivered / counts.expected),
    formatDuration(trial.delivery.p50Ns),
    formatDuration(trial.delivery.p99Ns),
    trial.cpuShare.toFixed(2),
    trialText(trial, numNodes),
  ];
}

/** How a trial went, and what was against it. */
function trialText(trial: NetworkTrial, numNodes: number): string {
  const { isSustained, complete, broadcast, pending } = trial;
  if (isSustained) return "sustained";
  if (complete < numNodes) return "cut short";
  const reasons = [
    ...(broadcast.sent < broadcast.due
      ? [`${formatShare(broadcast.sent / broadcast.due)} sent`]
      : []),
    ...(pending > 0 ? [`${formatCount(pending)} pending`] : []),
  ];
  return reasons.length > 0 ? reasons.join(", ") : "not sustained";
}
