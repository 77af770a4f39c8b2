import { Histogram } from "../../stats/histogram.ts";
import type { PackedHistogram } from "../../stats/packed_histogram.ts";
import {
  type HistogramJson,
  histogramToJson,
  type SnapshotJsonOptions,
} from "../../stats/snapshot_json.ts";
import type { ExploreTrial, NodeHistograms, NodeSnapshot } from "../snapshot.ts";

export type NodeHistogramsJson = { readonly [Key in keyof NodeHistograms]: HistogramJson };

export type ExploreTrialJson = Omit<ExploreTrial, "delivery" | "negativeDelivery"> & {
  readonly delivery: HistogramJson;
  readonly negativeDelivery: HistogramJson;
};

export type NodeSnapshotJson = Omit<NodeSnapshot, "histograms" | "explore"> & {
  readonly histograms: NodeHistogramsJson;
  readonly explore?: { readonly planned: number; readonly trials: readonly ExploreTrialJson[] };
};

/**
 * The snapshot of a node as a plain object for `JSON.stringify`. Figures that do not exist (NaN: the
 * percentile of nothing) become `null` there.
 */
export function nodeSnapshotToJson(
  snapshot: NodeSnapshot,
  options: SnapshotJsonOptions,
): NodeSnapshotJson {
  const { explore, histograms, ...others } = snapshot;
  return {
    ...others,
    histograms: nodeHistogramsToJson(histograms, options),
    ...(explore === undefined ? {} : {
      explore: {
        planned: explore.planned,
        trials: explore.trials.map((trial) => ({
          ...trial,
          delivery: packedToJson(trial.delivery, options),
          negativeDelivery: packedToJson(trial.negativeDelivery, options),
        })),
      },
    }),
  };
}

export function nodeHistogramsToJson(
  histograms: NodeHistograms,
  options: SnapshotJsonOptions,
): NodeHistogramsJson {
  const { sendDelay, lateness, delivery, negativeDelivery, correctedDelivery, ping } = histograms;
  return {
    sendDelay: histogramToJson(sendDelay, options),
    lateness: histogramToJson(lateness, options),
    delivery: histogramToJson(delivery, options),
    negativeDelivery: histogramToJson(negativeDelivery, options),
    correctedDelivery: histogramToJson(correctedDelivery, options),
    ping: histogramToJson(ping, options),
  };
}

function packedToJson(packed: PackedHistogram, options: SnapshotJsonOptions): HistogramJson {
  const histogram = new Histogram();
  histogram.addPacked(packed);
  return histogramToJson(histogram, options);
}
