import { formatCount, formatDuration, formatRate } from "../../stats/figures.ts";
import { noDelays, type OneWayDelays } from "../one_way_delays.ts";
import { delaysOf, type NodeSnapshot, sumOverSenders } from "../snapshot.ts";

interface Mark {
  readonly elapsedMs: number;
  readonly sent: number;
  readonly received: number;
  readonly delays: OneWayDelays;
}

/** Lines that follow a running node; rates and delays are those since the line before. */
export class NodeLine {
  private last: Mark = { elapsedMs: 0, sent: 0, received: 0, delays: noDelays };

  next(snapshot: NodeSnapshot): string {
    const { elapsedMs, phase, peers, numNodes, broadcast, received, explore } = snapshot;
    const delays = delaysOf(snapshot.histograms);
    const { last } = this;
    this.last = { elapsedMs, sent: broadcast.sent, received: received.messages, delays };
    const seconds = (elapsedMs - last.elapsedMs) / 1000;
    const perSecond = (count: number) => seconds > 0 ? formatRate(count / seconds) : "–";
    const parts = [
      `${(elapsedMs / 1000).toFixed(0)} s`.padStart(7),
      phase.padEnd(10),
      `${peers.connected} of ${numNodes - 1} peers`,
    ];
    if (explore !== undefined) {
      parts.push(` ${explore.trials.length} of ${explore.planned} tried`);
    }
    if (phase !== "connecting") {
      parts.push(
        `${perSecond(broadcast.sent - last.sent).padStart(10)} out`,
        `${perSecond(received.messages - last.received).padStart(10)} in`,
      );
    }
    const interval = delays.since(last.delays);
    if (interval.count > 0) {
      const [p50Ns, p99Ns] = interval.percentilesNs([50, 99]);
      parts.push(` p50 ${formatDuration(p50Ns!)}`.padEnd(13), `p99 ${formatDuration(p99Ns!)}`);
    }
    if (broadcast.queued > 0) parts.push(` ${formatCount(broadcast.queued)} queued`);
    // Of sqmr every message goes to one node alone: the others' are not missing.
    const pending = sumOverSenders(snapshot.senders, "pending");
    if (pending > 0 && snapshot.protocol !== "sqmr") parts.push(` ${formatCount(pending)} pending`);
    return parts.join(" ").trimEnd();
  }
}
