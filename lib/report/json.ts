import type { Snapshot } from "../stats/snapshot.ts";
import { snapshotToJson } from "../stats/snapshot_json.ts";
import type { Output } from "./output.ts";

/** Writes the snapshot, histograms with all their buckets, for `parseSnapshot` to read back. */
export function writeSnapshotJson(output: Output, snapshot: Snapshot): void {
  const json = JSON.stringify(snapshotToJson(snapshot, { encoded: true }), null, 2);
  output.write(new TextEncoder().encode(`${json}\n`));
}
