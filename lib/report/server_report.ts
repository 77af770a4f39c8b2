import { formatBytes, formatCount, formatElapsed, formatRate } from "../stats/figures.ts";
import type { ServerCounts, ServerSnapshot } from "../stats/snapshot.ts";
import { alignRight, labelled, labelledList } from "./columns.ts";
import { failureLines } from "./failure_lines.ts";
import { usageText } from "./usage_text.ts";
import { workerLines } from "./worker_lines.ts";

/** One line about each interval of a running server; rates are those since the line before. */
export class ServerLine {
  #elapsedMs = 0;
  #accepted = 0;
  #messages = 0;
  #bytesReceived = 0;

  next({ elapsedMs, total }: ServerSnapshot): string {
    const seconds = (elapsedMs - this.#elapsedMs) / 1000;
    const perSecond = (count: number) => seconds > 0 ? count / seconds : NaN;
    const refused = sumOf(total.refused);
    const parts = [
      `${(elapsedMs / 1000).toFixed(0)} s`.padStart(6),
      `${formatCount(total.open).padStart(6)} open`,
      `${formatRate(perSecond(total.accepted - this.#accepted)).padStart(7)} new`,
      `${formatRate(perSecond(total.messages - this.#messages)).padStart(10)} msgs`,
      `${formatBytes(perSecond(total.bytesReceived - this.#bytesReceived)).padStart(7)}/s`,
      `${formatBytes(total.bytesReceived).padStart(7)} received`,
    ];
    if (refused > 0) parts.push(`${formatCount(refused)} refused`);
    if (total.failed > 0) parts.push(`${formatCount(total.failed)} failed`);
    this.#elapsedMs = elapsedMs;
    this.#accepted = total.accepted;
    this.#messages = total.messages;
    this.#bytesReceived = total.bytesReceived;
    return parts.join("  ");
  }
}

/** The final report of a server: a row for each endpoint, and the sum where there are several. */
export function serverSummary(snapshot: ServerSnapshot): string[] {
  const { endpoints, total, process } = snapshot;
  const rows = endpoints.map(({ endpoint, counts }) => rowOf(endpoint, counts));
  if (endpoints.length > 1) rows.push(rowOf("total", total));
  const header = [
    "endpoint",
    "open",
    "accepted",
    "closed",
    "failed",
    "messages",
    "received",
    "sent",
  ];
  return [
    `holdfast server, ${formatElapsed(snapshot.elapsedMs)}`,
    "",
    ...alignRight([header, ...rows]),
    "",
    ...refusals(snapshot),
    ...(total.dropped > 0
      ? labelled("dropped", `${formatCount(total.dropped)} datagrams left unanswered`)
      : []),
    ...failureLines(total.failures),
    ...labelled("server", usageText(process, "")),
    ...workerLines(snapshot.workers),
  ];
}

function rowOf(name: string, counts: ServerCounts): string[] {
  return [
    name,
    formatCount(counts.open),
    formatCount(counts.accepted),
    formatCount(counts.closed),
    formatCount(counts.failed),
    formatCount(counts.messages),
    formatBytes(counts.bytesReceived),
    formatBytes(counts.bytesSent),
  ];
}

function refusals({ endpoints }: ServerSnapshot): string[] {
  const entries = endpoints.flatMap(({ endpoint, counts }) =>
    Object.entries(counts.refused)
      .filter(([, count]) => count > 0)
      .map(([reason, count]) => `${formatCount(count)} ${reason} on ${endpoint}`)
  );
  return labelledList("refused", entries);
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
