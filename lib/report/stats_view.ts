import type { Histogram } from "../stats/histogram.ts";
import { summarize } from "../stats/histogram_summary.ts";
import type { Snapshot } from "../stats/snapshot.ts";
import { snapshotToJson } from "../stats/snapshot_json.ts";
import livePage from "./live_page.html" with { type: "text" };
import { prometheusText } from "./prometheus.ts";

/** What `serveStats` shows of a run. Everything is called only when somebody asks. */
export interface StatsView {
  /** `/stats`: the state of now, for `JSON.stringify`; `encoded`: histograms with all buckets. */
  stats(options: { readonly encoded: boolean }): object;
  /** `/metrics`: the text format of Prometheus. */
  metrics(): string;
  /** `/`: a page that shows what `/stats` and `/events` give. */
  readonly page: string;
  /**
   * Begins `/events`. What it returns is called each second for the next event, which by custom is
   * `stats` and, from the second one on, an `interval` with what happened in between.
   */
  events(): () => object;
}

/** The view of a client's or a server's run. */
export function snapshotView(read: () => Snapshot): StatsView {
  return {
    stats: (options) => snapshotToJson(read(), options),
    metrics: () => prometheusText(read()),
    // The declaration of Bun takes every .html for a bundle; with type "text" it is the text.
    page: livePage as unknown as string,
    events: () => snapshotEvents(read),
  };
}

function snapshotEvents(read: () => Snapshot): () => object {
  let last: { readonly elapsedMs: number; readonly response: Histogram } | undefined;
  return () => {
    const snapshot = read();
    const json = snapshotToJson(snapshot, { encoded: false });
    if (snapshot.role !== "client") return json;
    const { elapsedMs, histograms: { response } } = snapshot;
    const before = last;
    last = { elapsedMs, response: response.copy() };
    if (before === undefined || response.count < before.response.count) return json;
    // Response times since the event before, which the totals of a snapshot do not show.
    const interval = {
      lengthMs: elapsedMs - before.elapsedMs,
      response: summarize(response.since(before.response)),
    };
    return { ...json, interval };
  };
}
