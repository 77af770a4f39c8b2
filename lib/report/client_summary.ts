import {
  formatBytes,
  formatCores,
  formatCount,
  formatDuration,
  formatElapsed,
  formatRate,
  formatShare,
} from "../stats/figures.ts";
import type { Histogram } from "../stats/histogram.ts";
import { summarize } from "../stats/histogram_summary.ts";
import { totalLost, totalUnsent } from "../stats/metrics.ts";
import type {
  ClientSnapshot,
  ConnectionCounts,
  LossCounts,
  MessageCounts,
  UnsentCounts,
} from "../stats/snapshot.ts";
import { alignRight, hanging, labelColumns, labelled } from "./columns.ts";
import { failureLines } from "./failure_lines.ts";
import { outageLines, spreadText } from "./outage_lines.ts";
import { rampSummary } from "./ramp_summary.ts";
import { usageText } from "./usage_text.ts";
import { expectationLines, verdictLines } from "./verdict_lines.ts";
import { workerLines } from "./worker_lines.ts";

/** The final report of a client, at most 100 columns wide. */
export function clientSummary(snapshot: ClientSnapshot): string[] {
  const sections = [
    title(snapshot),
    achieved(snapshot),
    messageCounts(snapshot),
    times(snapshot),
    circumstances(snapshot),
    connectionsOverTime(snapshot),
    rampSummary(snapshot.ramp),
    expectationLines(snapshot.verdict),
    verdictLines(
      snapshot.verdict,
      "the generator or its host, not the target, was the limit",
    ),
  ];
  return sections.filter((section) => section.length > 0)
    .flatMap((section, index) => index === 0 ? section : ["", ...section]);
}

const arrivalNames: Record<ClientSnapshot["arrivals"], string> = {
  poisson: "open loop (poisson)",
  uniform: "open loop (uniform)",
  interval: "open loop (interval)",
  inflight: "closed loop (inflight)",
  none: "no messages",
};

function title(snapshot: ClientSnapshot): string[] {
  const { endpoint, codec, messageBytes, arrivals, elapsedMs, steadyMs, interrupted } = snapshot;
  const load = arrivals === "none"
    ? arrivalNames[arrivals]
    : `${codec} ${formatCount(messageBytes)} B, ${arrivalNames[arrivals]}`;
  const measured = arrivals === "none" ? "" : `${formatElapsed(steadyMs)} measured of `;
  const labels = Object.entries(snapshot.run.labels).map(([key, value]) => `${key}=${value}`);
  return [
    `holdfast client ${endpoint}`,
    ...labelled("load", load),
    ...labelled(
      "time",
      `${measured}${formatElapsed(elapsedMs)}${interrupted ? ", interrupted" : ""}${
        snapshot.measuresRamp === true ? ", from the first connect on" : ""
      }`,
    ),
    ...(labels.length > 0 ? labelled("labels", labels.join(", ")) : []),
  ];
}

function achieved(snapshot: ClientSnapshot): string[] {
  const { connections, arrivals } = snapshot;
  const row = (
    label: string,
    requested: number,
    reached: number,
    format: (value: number) => string,
  ) => [
    label,
    requested > 0 ? format(requested) : "–",
    format(reached),
    requested > 0 ? formatShare(reached / requested) : "",
  ];
  const rows = [
    ["", "requested", "achieved", ""],
    row("connections", connections.requested, openedOnce(connections), formatCount),
    row(
      "connect rate",
      connections.requestedPerSecond,
      connections.achievedPerSecond,
      formatRate,
    ),
  ];
  if (arrivals !== "none") {
    const requested = arrivals === "inflight" ? 0 : snapshot.requestedRate;
    rows.push(row("message rate", requested, snapshot.achievedRate, formatRate));
  }
  const [header, first, ...rest] = alignRight(rows, [labelColumns - 2, 12, 12, 9]);
  return [header!, ...hanging(`${first}  `, fates(snapshot)), ...rest];
}

/** Those that have been open at some time, each counted once. */
function openedOnce({ opened, reopened = 0 }: ConnectionCounts): number {
  return opened - reopened;
}

/**
 * What became of the connections, beside their number. Where messages are sent, one that ended before
 * anything was answered on it has been turned away rather than lost, and that is said.
 */
function fates({ connections, arrivals }: ClientSnapshot): string {
  const { open, failed, lost, lostUnused = 0, recycled = 0 } = connections;
  const areTurnedAway = lostUnused > 0 && arrivals !== "none";
  const before = areTurnedAway ? ` (${formatCount(lostUnused)} before any answer)` : "";
  return [
    `${formatCount(open)} open`,
    ...(failed > 0 ? [`${formatCount(failed)} failed`] : []),
    ...(lost > 0 ? [`${formatCount(lost)} lost${before}`] : []),
    ...(recycled > 0 ? [`${formatCount(recycled)} recycled`] : []),
  ].join(", ");
}

const lossNames: Record<keyof LossCounts, string> = {
  timeout: "timed out",
  closed: "connection ended first",
  corrupted: "corrupted",
  unanswered: "unanswered at the end",
};

const unsentNames: Record<keyof UnsentCounts, string> = {
  noConnection: "no connection open",
  heldBack: "held back by the target",
  generatorLate: "generator too late",
};

function messageCounts({ arrivals, steady, messages, phase }: ClientSnapshot): string[] {
  if (arrivals === "none") return [];
  if (phase === "done" && steady.due === 0 && messages.due > 0) {
    return labelled("messages", unmeasured(messages));
  }
  const lost = totalLost(steady.lost);
  const unsent = totalUnsent(steady);
  const share = (count: number, whole: number) => whole > 0 ? formatShare(count / whole) : "";
  const rows = [
    ["messages due", formatCount(steady.due), ""],
    ["  sent", formatCount(steady.sent), share(steady.sent, steady.due)],
    ["  answered", formatCount(steady.answered), share(steady.answered, steady.sent)],
    ["  lost", formatCount(lost), share(lost, steady.sent)],
  ];
  const remarks = ["", "of those due", "of those sent", reasonsOf(steady.lost, lossNames)];
  if (unsent > 0) {
    rows.push(["  not sent", formatCount(unsent), share(unsent, steady.due)]);
    remarks.push(reasonsOf(steady.unsent, unsentNames));
  }
  if (steady.inFlight + steady.queued > 0) {
    rows.push(["  still waiting", formatCount(steady.inFlight + steady.queued), ""]);
    remarks.push(
      `${formatCount(steady.inFlight)} for an answer, ${formatCount(steady.queued)} to be sent`,
    );
  }
  const lines = alignRight(rows, [labelColumns - 2, 12, 10]);
  const width = Math.max(...lines.map((line) => line.length)) + 2;
  return lines.flatMap((line, index) => hanging(line.padEnd(width), remarks[index]!));
}

/** Of a run that ended before its measured phase began. */
function unmeasured(messages: MessageCounts): string {
  const { sent, answered } = messages;
  const lost = totalLost(messages.lost);
  return `nothing was measured: the run ended before its measured phase; until then ` +
    `${formatCount(sent)} sent, ${formatCount(answered)} answered, ${formatCount(lost)} lost`;
}

function reasonsOf<Key extends string>(
  counts: Readonly<Record<Key, number>>,
  names: Readonly<Record<Key, string>>,
): string {
  return (Object.keys(names) as Key[])
    .filter((key) => counts[key] > 0)
    .map((key) => `${formatCount(counts[key])} ${names[key]}`)
    .join(", ");
}

function times({ histograms, arrivals }: ClientSnapshot): string[] {
  const rows = [["", "min", "mean", "p50", "p90", "p99", "p99.9", "max"]];
  const add = (label: string, histogram: Histogram) => {
    const { minNs, meanNs, p50Ns, p90Ns, p99Ns, p999Ns, maxNs } = summarize(histogram);
    const figures = [minNs, meanNs, p50Ns, p90Ns, p99Ns, p999Ns, maxNs];
    rows.push([label, ...figures.map(formatDuration)]);
  };
  if (arrivals !== "none") {
    add("response time", histograms.response);
    add("service time", histograms.service);
    add("schedule error", histograms.scheduleError);
    add("  generator's own", histograms.lateness);
  }
  add("connect time", histograms.connect);
  if (histograms.reconnect !== undefined) add("  opened again", histograms.reconnect);
  return alignRight(rows, [labelColumns - 2, 9, 9, 9, 9, 9, 9, 9]);
}

function circumstances(snapshot: ClientSnapshot): string[] {
  const { bytes, steadyMs, generator, connections, arrivals } = snapshot;
  const lines: string[] = [];
  if (arrivals !== "none") {
    const perSecond = (count: number) => `${formatBytes(count / (steadyMs / 1000))}/s`;
    lines.push(...labelled(
      "traffic",
      `${perSecond(bytes.steadySent)} sent, ${perSecond(bytes.steadyReceived)} received`,
    ));
    lines.push(...statuses(snapshot), ...anomalies(snapshot));
  }
  lines.push(...failureLines(connections.failures));
  const whileMeasured = steadyMs > 0 ? `, steady ${formatCores(generator.steadyCpuShare)}` : "";
  lines.push(...labelled("generator", usageText(generator, whileMeasured)));
  lines.push(...workerLines(snapshot.workers));
  return lines;
}

function connectionsOverTime({ outages, servers }: ClientSnapshot): string[] {
  return [
    ...outageLines(outages),
    ...(servers === undefined ? [] : labelled("servers", spreadText(servers))),
  ];
}

function statuses({ answerStatuses }: ClientSnapshot): string[] {
  const entries = Object.entries(answerStatuses).sort(([, a], [, b]) => b - a);
  const total = entries.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return [];
  const texts = entries.map(([status, count]) =>
    `${status} ${formatCount(count)} (${formatShare(count / total)})`
  );
  return labelled("answers", texts.join(", "));
}

function anomalies({ anomalies }: ClientSnapshot): string[] {
  const found = Object.entries(anomalies).filter(([, count]) => count > 0);
  if (found.length === 0) return labelled("anomalies", "none");
  return labelled(
    "anomalies",
    found.map(([name, count]) => `${formatCount(count)} ${name}`).join(", "),
  );
}
