import { formatCount, formatDuration, formatRate } from "../stats/figures.ts";
import type { Histogram } from "../stats/histogram.ts";
import { totalLost } from "../stats/metrics.ts";
import type { ClientSnapshot } from "../stats/snapshot.ts";
import { outageNow } from "./outage_lines.ts";

/** The figures that two snapshots are compared by. */
interface Mark {
  readonly elapsedMs: number;
  readonly sent: number;
  readonly answered: number;
  readonly opened: number;
}

/** One line about each interval of a running client; rates are those since the line before. */
export class ClientLine {
  #last: Mark = { elapsedMs: 0, sent: 0, answered: 0, opened: 0 };

  /**
   * @param responses response times of the interval that ended, as `IntervalHistogram.swap()` gives
   * them; undefined where none are recorded.
   */
  next(snapshot: ClientSnapshot, responses: Histogram | undefined): string {
    const { connections, messages } = snapshot;
    const last = this.#last;
    this.#last = {
      elapsedMs: snapshot.elapsedMs,
      sent: messages.sent,
      answered: messages.answered,
      opened: connections.opened,
    };
    const seconds = (snapshot.elapsedMs - last.elapsedMs) / 1000;
    const perSecond = (count: number) => seconds > 0 ? formatRate(count / seconds) : "–";
    const parts = [
      `${(snapshot.elapsedMs / 1000).toFixed(0)} s`.padStart(7),
      snapshot.phase.padEnd(6),
      `${formatCount(connections.open).padStart(7)} open`,
    ];
    if (snapshot.phase === "ramp") {
      parts.push(`${perSecond(connections.opened - last.opened).padStart(10)} opened`);
    }
    if (
      snapshot.arrivals !== "none" && (snapshot.phase !== "ramp" || snapshot.overdue !== undefined)
    ) {
      parts.push(
        `${perSecond(messages.sent - last.sent).padStart(11)} out`,
        `${perSecond(messages.answered - last.answered).padStart(11)} back`,
      );
    }
    if (responses !== undefined && responses.count > 0) {
      const [p50Ns, p99Ns] = responses.percentilesNs([50, 99]);
      parts.push(
        ` p50 ${formatDuration(p50Ns!).padEnd(7)}`,
        ` p99 ${formatDuration(p99Ns!).padEnd(7)}`,
      );
    }
    const lost = totalLost(messages.lost);
    if (lost > 0) parts.push(`${formatCount(lost)} lost`);
    // Where connections are opened again, these say nothing about the present.
    const broken = snapshot.outages === undefined ? connections.failed + connections.lost : 0;
    if (broken > 0) parts.push(`${formatCount(broken)} down`);
    const outage = outageNow(snapshot.outages, snapshot.elapsedMs);
    if (outage !== "") parts.push(outage);
    return parts.join(" ").trimEnd();
  }
}
