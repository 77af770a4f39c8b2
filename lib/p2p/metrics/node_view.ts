import type { StatsView } from "../../report/stats_view.ts";
import type { SnapshotJsonOptions } from "../../stats/snapshot_json.ts";
import { delaysOf, type NodeHistograms, type NodeSnapshot } from "../snapshot.ts";
import { deliveryIntervals } from "./delivery_intervals.ts";
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
        const interval = intervalTo(snapshot.elapsedMs, delaysOf(snapshot.histograms));
        return { ...statsOf(snapshot, { encoded: false }), interval };
      };
    },
  };
}
