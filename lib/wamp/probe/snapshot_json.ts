import {
  type HistogramJson,
  histogramToJson,
  type SnapshotJsonOptions,
} from "../../stats/snapshot_json.ts";
import { probeHistogramNames, type ProbeHistograms, type ProbeSnapshot } from "./snapshot.ts";

export type ProbeSnapshotJson = Omit<ProbeSnapshot, "histograms"> & {
  readonly histograms: Readonly<Record<keyof ProbeHistograms, HistogramJson>>;
};

/** A snapshot as a plain object for `JSON.stringify`; figures that do not exist become `null` there. */
export function probeSnapshotToJson(
  snapshot: ProbeSnapshot,
  options: SnapshotJsonOptions,
): ProbeSnapshotJson {
  const histograms = Object.fromEntries(
    probeHistogramNames.map((name) => [name, histogramToJson(snapshot.histograms[name], options)]),
  ) as Record<keyof ProbeHistograms, HistogramJson>;
  return { ...snapshot, histograms };
}
