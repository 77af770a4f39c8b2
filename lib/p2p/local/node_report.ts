import { Histogram } from "../../stats/histogram.ts";
import type { PackedHistogram } from "../../stats/packed_histogram.ts";
import type { BroadcastNodeSettings } from "../node/node_settings.ts";
import type { NodeHistograms, NodeSnapshot } from "../snapshot.ts";
import type { PackedRecords } from "./record_batch.ts";

/** What a process of a local network is told; plain data. */
export interface NodeJob {
  readonly settings: Omit<BroadcastNodeSettings, "note">;
  /** Where it serves `/metrics`, `/stats` and its page. */
  readonly metrics: { readonly hostname: string; readonly port: number } | undefined;
}

/** A node's snapshot as plain data for another process. */
export type PackedNodeSnapshot = Omit<NodeSnapshot, "histograms"> & {
  readonly histograms: { readonly [Key in keyof NodeHistograms]: PackedHistogram };
};

/** What it says ten times a second, and at the end. */
export interface NodeReport {
  /** All that was sent and received since the report before. */
  readonly records: PackedRecords;
  /** Whether a message that is broadcast now would reach every other node. */
  readonly isConnected: boolean;
  /** Its plan is over, and what was due has left. */
  readonly isFinished: boolean;
  /** Once a second, when it is ready and at the end. */
  readonly snapshot: PackedNodeSnapshot | undefined;
}

const names = [
  "sendDelay",
  "lateness",
  "delivery",
  "negativeDelivery",
  "correctedDelivery",
  "ping",
] as const satisfies readonly (keyof NodeHistograms)[];

export function packNodeSnapshot(snapshot: NodeSnapshot): PackedNodeSnapshot {
  const packed = names.map((name) => [name, snapshot.histograms[name].pack()]);
  return { ...snapshot, histograms: Object.fromEntries(packed) };
}

/** The snapshot as it was; histograms of its own, 135 KB each. */
export function unpackNodeSnapshot(packed: PackedNodeSnapshot): NodeSnapshot {
  const unpacked = names.map((name) => {
    const histogram = new Histogram();
    histogram.addPacked(packed.histograms[name]);
    return [name, histogram];
  });
  return { ...packed, histograms: Object.fromEntries(unpacked) };
}
