import { formatCount, formatDuration, formatRate } from "../../stats/figures.ts";
import { noDelays, type OneWayDelays } from "../one_way_delays.ts";
import { delaysOf } from "../snapshot.ts";
import { lostOf } from "./delivery_counts.ts";
import { sizeText } from "../size_text.ts";
import type { NetworkPhase, NetworkSnapshot } from "./snapshot.ts";

const broadcastingPhases: ReadonlySet<NetworkPhase> = new Set(
  ["warmup", "running", "cool-down", "draining"] as const,
);

interface Mark {
  readonly elapsedMs: number;
  readonly sent: number;
  readonly delivered: number;
  readonly delays: OneWayDelays;
}

/** Lines that follow a running network; rates and delays are those since the line before. */
export class NetworkLine {
  #last: Mark = { elapsedMs: 0, sent: 0, delivered: 0, delays: noDelays };

  next(snapshot: NetworkSnapshot): string {
    const { elapsedMs, deliveries, histograms, nodes, phase, numNodes } = snapshot;
    const last = this.#last;
    const delays = delaysOf(histograms);
    this.#last = {
      elapsedMs,
      sent: deliveries.sent,
      delivered: deliveries.delivered,
      delays,
    };
    const seconds = (elapsedMs - last.elapsedMs) / 1000;
    const perSecond = (count: number) => seconds > 0 ? formatRate(count / seconds) : "–";
    const up = nodes.filter(({ state }) => state === "connecting" || state === "up").length;
    const silent = nodes.filter(({ state }) => state === "silent").length;
    const parts = [
      `${(elapsedMs / 1000).toFixed(0)} s`.padStart(7),
      phase.padEnd(10),
      `${up} of ${numNodes} up${silent > 0 ? `, ${silent} silent` : ""}`,
    ];
    if (phase === "connecting") {
      const links = nodes.reduce((sum, { peers }) => sum + peers, 0);
      parts.push(`  ${links} of ${numNodes * (numNodes - 1)} links`);
    }
    if (broadcastingPhases.has(phase)) {
      if (snapshot.explore !== undefined) {
        parts.push(` ${sizeText(snapshot.messageBytes)} every ${snapshot.heartbeatMs} ms`);
      }
      parts.push(
        `${perSecond(deliveries.sent - last.sent).padStart(10)} out`,
        `${perSecond(deliveries.delivered - last.delivered).padStart(10)} delivered`,
      );
      const interval = delays.since(last.delays);
      if (interval.count > 0) {
        const [p50Ns, p99Ns] = interval.percentilesNs([50, 99]);
        parts.push(` p50 ${formatDuration(p50Ns!)}`.padEnd(13), `p99 ${formatDuration(p99Ns!)}`);
      }
      if (deliveries.inFlight > 0) parts.push(` ${formatCount(deliveries.inFlight)} pending`);
      if (lostOf(deliveries) > 0) parts.push(` ${formatCount(lostOf(deliveries))} lost`);
    }
    return parts.join(" ").trimEnd();
  }
}
