import { nodeSnapshotToJson } from "../metrics/node_json.ts";
import type { NodeProcess } from "./node_process.ts";
import { type PackedNodeSnapshot, unpackNodeSnapshot } from "./node_report.ts";
import type { RunFolder } from "./run_folder.ts";

/**
 * Writes what each node has said last as `node-<id>.json`; of processes that ended before, as
 * `node-<id>-<process>.json`, which is up to a second older than their end.
 */
export function writeNodeResults(folder: RunFolder, nodes: readonly NodeProcess[]): void {
  for (const { id, earlier, snapshot } of nodes) {
    for (const [index, process] of earlier.entries()) {
      folder.write(`node-${id}-${index + 1}.json`, jsonText(process.snapshot));
    }
    if (snapshot !== undefined) folder.write(`node-${id}.json`, jsonText(snapshot));
  }
}

function jsonText(packed: PackedNodeSnapshot): string {
  const json = nodeSnapshotToJson(unpackNodeSnapshot(packed), { encoded: true });
  return `${JSON.stringify(json, null, 2)}\n`;
}
