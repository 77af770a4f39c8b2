import type { Router } from "./router.ts";

/** A line about what a router has done since the line before. */
export class RouterLine {
  readonly #router: Router;
  #lastMs: number;
  #lastLocal = 0;
  #lastForwarded = 0;
  #lastCalls = 0;

  constructor(router: Router) {
    this.#router = router;
    this.#lastMs = performance.now();
  }

  next(): string {
    const { counters, realms, links } = this.#router;
    const nowMs = performance.now();
    const perSecond = (count: number) => Math.round(count * 1000 / (nowMs - this.#lastMs));
    const local = perSecond(counters.eventsLocal - this.#lastLocal);
    const forwarded = perSecond(counters.eventsForwarded - this.#lastForwarded);
    const calls = perSecond(counters.calls + counters.callsForwarded - this.#lastCalls);
    this.#lastMs = nowMs;
    this.#lastLocal = counters.eventsLocal;
    this.#lastForwarded = counters.eventsForwarded;
    this.#lastCalls = counters.calls + counters.callsForwarded;
    let sessions = 0;
    for (const realm of realms.values()) {
      for (const { isLink } of realm.sessions.values()) if (!isLink) sessions++;
    }
    const up = links.filter(({ isUp }) => isUp).length;
    const linked = links.length === 0 ? "" : `   links ${up} of ${links.length}`;
    return `sessions ${sessions}${linked}   events/s ${local + forwarded} ` +
      `(${forwarded} forwarded)   calls/s ${calls}`;
  }
}
