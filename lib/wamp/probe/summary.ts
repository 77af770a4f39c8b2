import { alignRight, hanging, labelColumns, labelled, labelledList } from "../../report/columns.ts";
import { failureLines } from "../../report/failure_lines.ts";
import { outageLines, spreadText } from "../../report/outage_lines.ts";
import { usageText } from "../../report/usage_text.ts";
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
import type { Verdict } from "../../stats/snapshot.ts";
import type { ProbeSnapshot, PublisherRow, RequestCounts } from "./snapshot.ts";

/** Rows of single publishers: more would hide the rest of the report. */
const mostPublisherRows = 8;

/** The final report of a probe, at most 100 columns wide. */
export function probeSummary(snapshot: ProbeSnapshot): string[] {
  const sections = [
    title(snapshot),
    achieved(snapshot),
    books(snapshot),
    publisherTable(snapshot.publisherRows),
    times(snapshot),
    circumstances(snapshot),
    expectations(snapshot.verdict),
    verdictLines(snapshot.verdict),
  ];
  return sections.filter((section) => section.length > 0)
    .flatMap((section, index) => index === 0 ? section : ["", ...section]);
}

function title(snapshot: ProbeSnapshot): string[] {
  const { urls, realm, subprotocol, payloadBytes, isOpenLoop, clients, procedures } = snapshot;
  const labels = Object.entries(snapshot.run.labels).map(([key, value]) => `${key}=${value}`);
  return [
    ...hanging("holdfast wamp probe ", urls.join(", ")),
    ...labelled(
      "load",
      `realm ${realm}, ${subprotocol}, ${formatBytes(payloadBytes)}, ` +
        `${formatCount(snapshot.publishers)} ` +
        `${snapshot.publishers === 1 ? "publisher" : "publishers"} in ${formatCount(clients)} ` +
        `${clients === 1 ? "process" : "processes"}, ` +
        `${isOpenLoop ? "open loop" : "each after its answers"}, ` +
        `${
          procedures.length === 0 ? "no calls" : `${procedures.length} calls for each publication`
        }`,
    ),
    ...labelled(
      "time",
      `${formatElapsed(snapshot.steadyMs)} measured of ${formatElapsed(snapshot.elapsedMs)}` +
        (snapshot.interrupted ? ", interrupted" : ""),
    ),
    ...(labels.length > 0 ? labelled("labels", labels.join(", ")) : []),
  ];
}

function achieved(snapshot: ProbeSnapshot): string[] {
  const { sessions, requestedRate, achievedRate, steadyMs, publications, procedures } = snapshot;
  const { events, calls } = snapshot;
  const seconds = steadyMs / 1000;
  const once = sessions.opened - (sessions.reopened ?? 0);
  const row = (label: string, requested: number, reached: number, show: (n: number) => string) => [
    label,
    show(requested),
    show(reached),
    requested > 0 ? formatShare(reached / requested) : "",
  ];
  const rows = [
    ["", "requested", "achieved", ""],
    row("sessions", sessions.requested, once, formatCount),
    row("publications", requestedRate, achievedRate, formatRate),
    row(
      "events",
      requestedRate * sessions.requested,
      seconds > 0 ? events.unique / seconds : NaN,
      formatRate,
    ),
  ];
  if (procedures.length > 0) {
    rows.push(row(
      "calls",
      requestedRate * procedures.length,
      seconds > 0 ? calls.answered / seconds : NaN,
      formatRate,
    ));
  }
  const perSecond = (bytes: number) => seconds > 0 ? `${formatBytes(bytes / seconds)}/s` : "–";
  const payload = `payload ${perSecond(events.payloadBytes)} received, ` +
    `${perSecond((publications.sent + calls.sent) * snapshot.payloadBytes)} sent; messages ` +
    `${perSecond(snapshot.bytes.received)} received, ${perSecond(snapshot.bytes.sent)} sent`;
  return [
    ...alignRight(rows, [labelColumns - 2, 12, 12, 9]),
    ...labelled("traffic", payload),
  ];
}

function books({ publications, calls, events, errors }: ProbeSnapshot): string[] {
  const rows = [[
    "",
    "sent",
    "answered",
    "refused",
    "timed out",
    "closed",
    "unanswered",
    "not sent",
  ]];
  rows.push(requestRow("publications", publications));
  if (calls.due > 0) rows.push(requestRow("calls", calls));
  const whole = events.unique + events.lost;
  const share = (count: number) => whole > 0 ? ` (${formatShare(count / whole)})` : "";
  const facts = [
    `${formatCount(events.unique)} received, ${formatCount(events.forwarded)} over links` +
    `${events.received > 0 ? ` (${formatShare(events.forwarded / events.received)})` : ""}`,
    `${formatCount(events.lost)} lost${events.lost > 0 ? share(events.lost) : ""}, ` +
    `${formatCount(events.duplicated)} duplicated, ${formatCount(events.outOfOrder)} out of order` +
    (events.missedAway > 0
      ? `, ${formatCount(events.missedAway)} published while their subscriber was away`
      : "") +
    (events.foreign > 0 ? `, ${formatCount(events.foreign)} of other publishers` : ""),
  ];
  const uris = Object.entries(errors).map(([uri, count]) => `${formatCount(count)} ${uri}`);
  return [
    ...alignRight(rows, [labelColumns - 2]),
    ...labelledList("events", facts),
    ...(uris.length > 0 ? labelled("errors", uris.join(", ")) : []),
  ];
}

function requestRow(label: string, counts: RequestCounts): string[] {
  const unsent = counts.noConnection + counts.heldBack + counts.generatorLate;
  return [
    label,
    ...[
      counts.sent,
      counts.answered,
      counts.refused,
      counts.timeout,
      counts.closed,
      counts.unanswered,
      unsent,
    ].map(formatCount),
  ];
}

/** The publishers with which something was wrong, the worst first. */
function publisherTable(rows: readonly PublisherRow[]): string[] {
  const wrong = rows.filter((row) => badness(row) > 0)
    .sort((a, b) => badness(b) - badness(a));
  if (wrong.length === 0) return [];
  const table = alignRight([
    ["publisher", "published", "acked", "received", "lost", "away", "duplicated", "out of order"],
    ...wrong.slice(0, mostPublisherRows).map((row) => [
      row.name,
      ...[
        row.published,
        row.acknowledged,
        row.received,
        row.lost,
        row.missedAway,
        row.duplicated,
        row.outOfOrder,
      ].map(formatCount),
    ]),
  ]);
  const more = wrong.length - mostPublisherRows;
  return more > 0
    ? [...table, `and ${formatCount(more)} more publishers (all of them: --json)`]
    : table;
}

function badness({ published, acknowledged, lost, duplicated, outOfOrder }: PublisherRow): number {
  return lost + duplicated + outOfOrder + (published - acknowledged);
}

function times({ histograms, procedures }: ProbeSnapshot): string[] {
  const rows = [["", "min", "mean", "p50", "p90", "p99", "p99.9", "max"]];
  const add = (label: string, histogram: Histogram) => {
    const { minNs, meanNs, p50Ns, p90Ns, p99Ns, p999Ns, maxNs } = summarize(histogram);
    const figures = [minNs, meanNs, p50Ns, p90Ns, p99Ns, p999Ns, maxNs];
    rows.push([label, ...figures.map(formatDuration)]);
  };
  add("acknowledgement", histograms.acknowledgement);
  if (procedures.length > 0) add("call", histograms.call);
  add("event delivery", histograms.delivery);
  add("probe's lateness", histograms.lateness);
  add("join", histograms.connect);
  if (histograms.reconnect.count > 0) add("reconnect", histograms.reconnect);
  return alignRight(rows, [labelColumns - 2, 9, 9, 9, 9, 9, 9, 9]);
}

function circumstances({ sessions, nodes, outages, usage, steadyMs }: ProbeSnapshot): string[] {
  const share = steadyMs > 0 ? `, steady ${formatCores(usage.steadyCpuShare)}` : "";
  return [
    ...labelled("nodes", spreadText(nodes)),
    ...failureLines(sessions.failures),
    ...(outages.total > 0 ? outageLines(outages) : []),
    ...labelled("probe", usageText(usage, share)),
  ];
}

function expectations(verdict: Verdict | undefined): string[] {
  if (verdict === undefined || verdict.expectations.length === 0) return [];
  const width = Math.max(...verdict.expectations.map(({ expectation }) => expectation.length));
  return labelledList(
    "expectations",
    verdict.expectations.map(({ expectation, measured, passed }) =>
      `${passed ? "pass" : "FAIL"}  ${expectation.padEnd(width)}  ${measured}`
    ),
  );
}

const verdictNames: Record<Verdict["kind"], string> = {
  ok: "ok",
  "expectation-failed": "EXPECTATION FAILED",
  invalid: "INVALID: the probe or its host, not the router, was the limit",
  "stopped-by-limit": "STOPPED BY LIMIT",
};

function verdictLines(verdict: Verdict | undefined): string[] {
  if (verdict === undefined) return [];
  return [
    ...labelled("verdict", verdictNames[verdict.kind]),
    ...labelledList("", verdict.reasons, "- "),
  ];
}
