import { Histogram } from "../../stats/histogram.ts";
import type { PackedHistogram } from "../../stats/packed_histogram.ts";
import { probeHistogramNames, type ProbeHistograms } from "./snapshot.ts";

/** Cost: 135 KB each, six of them. */
export function emptyProbeHistograms(): ProbeHistograms {
  return Object.fromEntries(
    probeHistogramNames.map((name) => [name, new Histogram()]),
  ) as unknown as ProbeHistograms;
}

export type PackedProbeHistograms = Readonly<Record<keyof ProbeHistograms, PackedHistogram>>;

/** As plain data, for another process. */
export function packProbeHistograms(histograms: ProbeHistograms): PackedProbeHistograms {
  return Object.fromEntries(
    probeHistogramNames.map((name) => [name, histograms[name].pack()]),
  ) as unknown as PackedProbeHistograms;
}

export function addPackedProbeHistograms(to: ProbeHistograms, added: PackedProbeHistograms): void {
  for (const name of probeHistogramNames) to[name].addPacked(added[name]);
}

export function addProbeHistograms(to: ProbeHistograms, added: ProbeHistograms): void {
  for (const name of probeHistogramNames) to[name].add(added[name]);
}

export function resetProbeHistograms(histograms: ProbeHistograms): void {
  for (const name of probeHistogramNames) histograms[name].reset();
}
