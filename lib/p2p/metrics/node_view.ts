import type { StatsView } from "../../report/stats_view.ts";
import type { Histogram } from "../../stats/histogram.ts";
import { type HistogramSummary, summarize } from "../../stats/histogram_summary.ts";
import type { SnapshotJsonOptions } from "../../stats/snapshot_json.ts";
import type { NodeHistograms, NodeSnapshot } from "../snapshot.ts";
import {
  type NodeHistogramsJson,
  nodeHistogramsToJson,
  type NodeSnapshotJson,
  nodeSnapshotToJson,
} from "./node_json.ts";
import { nodeMetricsText } from "./node_metrics.ts";
import { p2pPage } from "./p2p_page.ts";
import type { SystemFigures, SystemMonitor } from "./system_monitor.ts";

/** What a view reads of a node: a `RunningNode`, for instance. */
export interface NodeReader {
  snapshot(): NodeSnapshot;
  /** What was recorded in the last minute. */
  windows(): NodeHistograms;
}

/** `/stats` of a node. */
export interface NodeStats extends NodeSnapshotJson {
  readonly lastMinute: NodeHistogramsJson;
  readonly system: SystemFigures;
}

/** What happened between two events. */
export interface DeliveryInterval {
  readonly lengthMs: number;
  readonly delivery: HistogramSummary;
}

/** What a node serves: its snapshot, the last minute and the figures of its host. */
export function nodeView(node: NodeReader, monitor: Pick<SystemMonitor, "figures">): StatsView {
  const statsOf = (snapshot: NodeSnapshot, options: SnapshotJsonOptions): NodeStats => ({
    ...nodeSnapshotToJson(snapshot, options),
    lastMinute: nodeHistogramsToJson(node.windows(), options),
    system: monitor.figures(),
  });
  return {
    stats: (options) => statsOf(node.snapshot(), options),
    metrics: () =>
      nodeMetricsText({
        snapshot: node.snapshot(),
        windows: node.windows(),
        system: monitor.figures(),
      }),
    page: p2pPage,
    events: () => {
      const intervalTo = deliveryIntervals();
      return () => {
        const snapshot = node.snapshot();
        const interval = intervalTo(snapshot.elapsedMs, snapshot.histograms.delivery);
        return { ...statsOf(snapshot, { encoded: false }), interval };
      };
    },
  };
}

/**
 * Tells, with each call, which deliveries came since the call before; undefined for the first, and
 * where counting began anew.
 */
export function deliveryIntervals(): (
  elapsedMs: number,
  delivery: Histogram,
) => DeliveryInterval | undefined {
  let last: { readonly elapsedMs: number; readonly delivery: Histogram } | undefined;
  return (elapsedMs, delivery) => {
    const before = last;
    // Snapshots hold copies: it does not change any more.
    last = { elapsedMs, delivery };
    if (before === undefined || delivery.count < before.delivery.count) return undefined;
    return {
      lengthMs: elapsedMs - before.elapsedMs,
      delivery: summarize(delivery.since(before.delivery)),
    };
  };
}
