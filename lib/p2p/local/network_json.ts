import {
  type HistogramJson,
  histogramToJson,
  type SnapshotJsonOptions,
} from "../../stats/snapshot_json.ts";
import { networkHistogramNames, type NetworkHistograms, type NetworkSnapshot } from "./snapshot.ts";

export type NetworkSnapshotJson = Omit<NetworkSnapshot, "histograms"> & {
  readonly histograms: { readonly [Key in keyof NetworkHistograms]: HistogramJson };
};

/**
 * A snapshot as a plain object for `JSON.stringify`. Figures that do not exist (NaN), and a length
 * that is not planned (Infinity), become `null` there.
 */
export function networkToJson(
  snapshot: NetworkSnapshot,
  options: SnapshotJsonOptions,
): NetworkSnapshotJson {
  const histograms = networkHistogramNames.map((name) => [
    name,
    histogramToJson(snapshot.histograms[name], options),
  ]);
  return { ...snapshot, histograms: Object.fromEntries(histograms) };
}

/** Several runs that are compared, in one file. */
export interface ComparisonJson {
  readonly role: "p2p-comparison";
  readonly runs: readonly NetworkSnapshotJson[];
}
