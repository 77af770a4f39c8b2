import { alignRight, labelColumns, labelled } from "../../report/columns.ts";
import { usageText } from "../../report/usage_text.ts";
import { expectationLines, verdictLines } from "../../report/verdict_lines.ts";
import {
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatRate,
  formatShare,
} from "../../stats/figures.ts";
import type { Histogram } from "../../stats/histogram.ts";
import { summarize } from "../../stats/histogram_summary.ts";
import { exploreTable, resultHere } from "../explore_result.ts";
import { isBroadcasting } from "../mode.ts";
import { networkEventTypes } from "../network/network.ts";
import { negativeText, type OneWayDelays } from "../one_way_delays.ts";
import { sizeText } from "../size_text.ts";
import {
  broadcastDropReasons,
  delaysOf,
  type NodeSnapshot,
  refusalReasons,
  type SenderCounts,
  totalDropped,
} from "../snapshot.ts";

/** Beyond so many senders, only those that something is wrong with have a line. */
const mostSenders = 20;

/**
 * The final report of a node, at most 100 columns wide.
 *
 * @param runSeconds length of a trial, in `explore`.
 */
export function nodeSummary(snapshot: NodeSnapshot, runSeconds: number): string[] {
  const sections = [
    title(snapshot),
    broadcast(snapshot),
    received(snapshot),
    times(snapshot),
    trials(snapshot, runSeconds),
    usage(snapshot),
    expectationLines(snapshot.verdict),
    verdictLines(snapshot.verdict, "the broadcaster or its host did not keep the plan"),
  ].filter((lines) => lines.length > 0);
  return sections.flatMap((lines, index) => index === 0 ? lines : ["", ...lines]);
}

function loadText(snapshot: NodeSnapshot): string {
  const { mode, numNodes, broadcaster, messageBytes, heartbeatMs, explore } = snapshot;
  const load = `${sizeText(messageBytes)} every ${heartbeatMs} ms`;
  switch (mode) {
    case "all":
      return `${load} from each of ${numNodes} nodes`;
    case "one":
      return `${load} from node ${broadcaster}`;
    case "rr":
      return `${load} from ${numNodes} nodes in turn`;
    case "explore":
      return `${explore?.planned ?? 0} combinations of size and heartbeat, from node ` +
        `${broadcaster}`;
  }
}

function title(snapshot: NodeSnapshot): string[] {
  const { nodeId, numNodes, protocol, peerId, peers, mostPeers, running } = snapshot;
  const labels = Object.entries(snapshot.run.labels).map(([key, value]) => `${key}=${value}`);
  const events = networkEventTypes.filter((type) => snapshot.events[type] > 0)
    .map((type) => `${type.replaceAll("_", " ")} ${formatCount(snapshot.events[type])}`);
  return [
    `holdfast p2p node: node ${nodeId} of ${numNodes}, ${protocol}`,
    ...labelled("peer id", peerId),
    ...labelled("load", loadText(snapshot)),
    ...labelled(
      "time",
      `${formatElapsed(running.seconds * 1000)} of ${formatElapsed(snapshot.elapsedMs)}` +
        warmupText(snapshot) +
        (snapshot.interrupted ? ", interrupted" : ""),
    ),
    ...labelled(
      "peers",
      `${peers.connected} of ${numNodes - 1} connected at the end, ${mostPeers} at most`,
    ),
    ...labelled("network", events.length === 0 ? "nothing happened" : events.join(", ")),
    ...(snapshot.resets > 0
      ? labelled("resets", `${formatCount(snapshot.resets)}, as explore wants it`)
      : []),
    ...(labels.length > 0 ? labelled("labels", labels.join(", ")) : []),
  ];
}

function warmupText({ warmupMs, running }: NodeSnapshot): string {
  if (warmupMs === 0) return "";
  return `, ${running.seconds > 0 ? "after" : "ended in"} ${formatElapsed(warmupMs)} of warm-up`;
}

function broadcast(snapshot: NodeSnapshot): string[] {
  const { broadcast, running, nodeId, mode, broadcaster } = snapshot;
  const { due, sent, queued } = broadcast;
  if (due === 0) {
    const why = isBroadcasting(mode, nodeId, broadcaster)
      ? "its plan did not begin"
      : `node ${nodeId} only receives`;
    return labelled("broadcast", `nothing: ${why}`);
  }
  const rows: [string, string, string, string][] = [["messages due", formatCount(due), "", ""]];
  const add = (label: string, count: number, remark: string) =>
    rows.push([label, formatCount(count), formatShare(count / due), remark]);
  // In explore the rate is another in each trial; where the run ended in its warm-up, nobody timed it.
  const isTimed = mode !== "explore" && running.seconds > 0;
  const seconds = snapshot.warmupMs / 1000 + running.seconds;
  add("  sent", sent, isTimed ? formatRate(sent / seconds) : "");
  const dropped = totalDropped(broadcast);
  const reasons = broadcastDropReasons.filter((reason) => broadcast.dropped[reason] > 0)
    .map((reason) => `${formatCount(broadcast.dropped[reason])} ${reason}`);
  if (dropped > 0) add("  dropped", dropped, reasons.join(", "));
  if (queued > 0) add("  queued", queued, "");
  const lines = alignRight(rows.map(([label, count, share]) => [label, count, share]), [
    labelColumns - 2,
    12,
    10,
  ]);
  return lines.map((line, index) => `${line}  ${rows[index]![3]}`.trimEnd());
}

function received(snapshot: NodeSnapshot): string[] {
  const { received, senders } = snapshot;
  const refused = [
    ...refusalReasons.filter((reason) => received.refused[reason] > 0)
      .map((reason) => `${formatCount(received.refused[reason])} ${reason}`),
    ...(received.invalid > 0 ? [`${formatCount(received.invalid)} invalid`] : []),
    ...(received.overflowed > 0
      ? [`${formatCount(received.overflowed)} beyond --buffer-size`]
      : []),
  ];
  const unusual = ({ pending, abandoned, duplicates, outOfOrder, restarts }: SenderCounts) =>
    pending + abandoned + duplicates + outOfOrder + restarts > 0;
  const shown = senders.length <= mostSenders ? senders : senders.filter(unusual);
  return [
    ...labelled(
      "received",
      `${formatCount(received.messages)} messages of ${formatCount(senders.length)} nodes`,
    ),
    ...(received.removedCopies > 0
      ? labelled("copies", `${formatCount(received.removedCopies)} more, which gossipsub removed`)
      : []),
    ...(refused.length > 0 ? labelled("refused", refused.join(", ")) : []),
    ...(shown.length === 0 ? [] : senderTable(snapshot, shown)),
    ...(shown.length < senders.length
      ? [`nothing is missing, double or out of order of ${senders.length - shown.length} others`]
      : []),
  ];
}

/** Delays as the clocks show them, and less the offset of the sender's clock. */
function senderTable(
  { protocol, clockOffsets }: NodeSnapshot,
  senders: readonly SenderCounts[],
): string[] {
  const rows = [[
    ...["from node", "received", "pending", "twice", "order", "starts"],
    ...["delay", "clock", "± bound", "corrected"],
  ]];
  for (const sender of senders) {
    const offset = clockOffsets.find(({ peer }) => peer === sender.sender);
    const meanNs = sender.received === 0 ? NaN : sender.delaySumNs / sender.received;
    rows.push([
      `${sender.sender}`,
      formatCount(sender.received),
      // Of sqmr every message goes to one node alone.
      protocol === "sqmr" ? "–" : formatCount(sender.pending + sender.abandoned),
      formatCount(sender.duplicates),
      formatCount(sender.outOfOrder),
      formatCount(sender.restarts + 1),
      formatDuration(meanNs),
      formatDuration(offset?.offsetNs ?? NaN),
      formatDuration(offset?.boundNs ?? NaN),
      formatDuration(meanNs + (offset?.offsetNs ?? NaN)),
    ]);
  }
  return alignRight(rows, [labelColumns - 2]);
}

function times({ histograms, received }: NodeSnapshot): string[] {
  const rows = [["", "min", "mean", "p50", "p90", "p99", "p99.9", "max"]];
  const add = (label: string, histogram: Histogram | OneWayDelays) => {
    if (histogram.count === 0) return;
    const { minNs, meanNs, p50Ns, p90Ns, p99Ns, p999Ns, maxNs } = summarize(histogram);
    const figures = [minNs, meanNs, p50Ns, p90Ns, p99Ns, p999Ns, maxNs];
    rows.push([label, ...figures.map(formatDuration)]);
  };
  const delays = delaysOf(histograms);
  const { correctedDelivery } = histograms;
  add("delivery", delays);
  if (delays.negativeCount > 0) add("  corrected", correctedDelivery);
  add("send delay", histograms.sendDelay);
  add("  own lateness", histograms.lateness);
  add("ping", histograms.ping);
  if (rows.length === 1) return [];
  return [
    ...alignRight(rows, [labelColumns - 2, 9, 9, 9, 9, 9, 9, 9]),
    ...(delays.negativeCount === 0 ? [] : labelled("negative", negativeText(delays))),
    ...(delays.negativeCount === 0 || correctedDelivery.count === 0 ? [] : labelled(
      "corrected",
      `${
        formatShare(correctedDelivery.count / delays.count)
      } of the delays, by the offset of the ` +
        `sender's clock; ${formatCount(received.correctedBelowZero)} still below 0`,
    )),
  ];
}

function trials(snapshot: NodeSnapshot, runSeconds: number): string[] {
  const { explore, nodeId, numNodes, protocol, broadcaster = -1 } = snapshot;
  if (explore === undefined) return [];
  const view = { protocol, nodeId, numNodes, runSeconds, broadcasterId: broadcaster };
  const results = explore.trials.map((trial) => resultHere(trial, view));
  return [
    ...labelled(
      "explored",
      `${explore.trials.length} of ${explore.planned} combinations, as this node knows them: ` +
        (nodeId === broadcaster ? "what it sent" : "what it received"),
    ),
    ...exploreTable(results),
  ];
}

function usage({ process, running }: NodeSnapshot): string[] {
  const share = Number.isFinite(running.cpuShare)
    ? `, ${formatCores(running.cpuShare)} while it ran`
    : "";
  return labelled("process", usageText(process, share));
}
