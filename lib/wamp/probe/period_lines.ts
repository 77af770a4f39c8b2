import { hostMemoryBytes } from "../../host/limits.ts";
import { formatBytes, formatCount, formatRate } from "../../stats/figures.ts";
import { lostOf, type ProbeSnapshot } from "./snapshot.ts";

/**
 * The lines of each period, as Crossbar's example prints them, with bytes per second: what was used and
 * what came and went since the lines before.
 */
export class PeriodLines {
  #last: ProbeSnapshot | undefined;

  /** The measured phase begins, or a period ends: only what comes from now on counts. */
  begin(snapshot: ProbeSnapshot): void {
    this.#last = snapshot;
  }

  next(snapshot: ProbeSnapshot): string[] {
    const last = this.#last;
    this.#last = snapshot;
    if (last === undefined) return [];
    const seconds = (snapshot.elapsedMs - last.elapsedMs) / 1000;
    if (!(seconds > 0)) return [];
    const since = (read: (snapshot: ProbeSnapshot) => number) => read(snapshot) - read(last);
    const perSecond = (count: number) => formatRate(Math.round(count / seconds));
    const bytesPerSecond = (bytes: number) => `${formatBytes(bytes / seconds)}/s`;
    const { usage, logname, payloadBytes, sessions } = snapshot;
    const memory = (100 * usage.rssBytes) / hostMemoryBytes();
    const switches = since((each) => each.usage.contextSwitches) / seconds;
    const received = since(({ events }) => events.received);
    const forwarded = since(({ events }) => events.forwarded);
    const published = since(({ publications }) => publications.sent);
    const down = sessions.requested - sessions.open;
    const lines = [
      `LOAD: ${since((each) => each.usage.cpuUserSeconds).toFixed(2)} user, ` +
      `${since((each) => each.usage.cpuSystemSeconds).toFixed(2)} system, ` +
      `${memory.toFixed(1)} mem_percent, ${formatCount(switches)} ctx` +
      (down > 0
        ? `; ${formatCount(down)} of ${formatCount(sessions.requested)} sessions down`
        : ""),
      `WAMP ${logname}.*: ${formatCount(received)} EVENTs received (${formatCount(forwarded)} ` +
      `forwarded), ${perSecond(received)}, ` +
      `${bytesPerSecond(since(({ events }) => events.payloadBytes))}; ` +
      `${formatCount(published)} published, ${perSecond(published)}, ` +
      `${bytesPerSecond(published * payloadBytes)}`,
    ];
    if (snapshot.procedures.length > 0) {
      const answered = since(({ calls }) => calls.answered);
      const issued = since(({ calls }) => calls.sent);
      const failed = since(({ calls }) => calls.refused + lostOf(calls));
      lines.push(
        `WAMP ${logname}.*: ${formatCount(answered)} RESULTs received, ${perSecond(answered)}; ` +
          `${formatCount(issued)} calls issued, ${perSecond(issued)}, ` +
          `${bytesPerSecond(issued * payloadBytes)}` +
          (failed > 0 ? `; ${formatCount(failed)} failed` : ""),
      );
    }
    return lines;
  }
}
