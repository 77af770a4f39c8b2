import type { Labels, Sample } from "../../report/exposition.ts";
import type { NodeSnapshot } from "../snapshot.ts";

/** The ids of all other nodes. */
export function othersOf({ nodeId, numNodes }: NodeSnapshot): number[] {
  return Array.from({ length: numNodes }, (_, id) => id).filter((id) => id !== nodeId);
}

const noLabels: Labels = {};

/** The only sample of a metric. */
export function one(value: number): Sample[] {
  return [[noLabels, value]];
}
