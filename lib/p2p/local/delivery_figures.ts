import { Histogram } from "../../stats/histogram.ts";
import {
  deliveryCountNames,
  type DeliveryCounts,
  emptyDeliveryCounts,
  type ReachCounts,
} from "./delivery_counts.ts";

/** Shares of the other nodes whose reach is measured. */
export const reachShares = [0.5, 0.99, 1] as const;

/** What a node did as a receiver and as a sender. */
export interface NodeDeliveries {
  /** Messages that it broadcast. */
  sent: number;
  delivered: number;
  missed: number;
  missedWhileDown: number;
  unknown: number;
  duplicated: number;
  outOfOrder: number;
  /** From when a message was due to its arrival here. */
  readonly delay: Histogram;
}

/** What the books of messages come to. */
export interface DeliveryFigures {
  readonly counts: DeliveryCounts;
  readonly nodes: readonly NodeDeliveries[];
  /** From when a message was due until a share of the other nodes had it, by `reachShares`. */
  readonly reach: readonly Histogram[];
  readonly reachCounts: readonly ReachCounts[];
  readonly delay: Histogram;
  /** How far before its due instant a message arrived, where the clocks of two nodes differ. */
  readonly negativeDelay: Histogram;
}

/** Cost: 135 KB for each node, and 675 KB. */
export function emptyFigures(nodes: number): DeliveryFigures {
  return {
    counts: emptyDeliveryCounts(),
    nodes: Array.from({ length: nodes }, () => ({
      sent: 0,
      delivered: 0,
      missed: 0,
      missedWhileDown: 0,
      unknown: 0,
      duplicated: 0,
      outOfOrder: 0,
      delay: new Histogram(),
    })),
    reach: reachShares.map(() => new Histogram()),
    reachCounts: reachShares.map(() => ({ reached: 0, notReached: 0, unknown: 0 })),
    delay: new Histogram(),
    negativeDelay: new Histogram(),
  };
}

const nodeCountNames = [
  ...["sent", "delivered", "missed", "missedWhileDown", "unknown", "duplicated"] as const,
  "outOfOrder",
] as const satisfies readonly (keyof NodeDeliveries)[];

/** Adds the second ones to the first. */
export function addFigures(to: DeliveryFigures, added: DeliveryFigures): void {
  for (const name of deliveryCountNames) to.counts[name] += added.counts[name];
  for (const [index, node] of to.nodes.entries()) {
    const other = added.nodes[index]!;
    for (const name of nodeCountNames) node[name] += other[name];
    node.delay.add(other.delay);
  }
  for (const [index, counts] of to.reachCounts.entries()) {
    const other = added.reachCounts[index]!;
    for (const name of ["reached", "notReached", "unknown"] as const) counts[name] += other[name];
    to.reach[index]!.add(added.reach[index]!);
  }
  to.delay.add(added.delay);
  to.negativeDelay.add(added.negativeDelay);
}

/**
 * Counts how long a message took to reach each share of its receivers.
 *
 * @param delaysNs ascending; the first `had` of them count.
 * @param unknown receivers of which it is not known whether they had it.
 * @param isTimed whether its times are measured; it is counted anyway.
 */
export function settleReach(
  { reach, reachCounts }: DeliveryFigures,
  delaysNs: Float64Array,
  had: number,
  unknown: number,
  receivers: number,
  isTimed: boolean,
): void {
  for (let index = 0; index < reachShares.length; index++) {
    const needed = Math.ceil(reachShares[index]! * receivers);
    const counts = reachCounts[index]!;
    if (had >= needed) {
      counts.reached++;
      if (isTimed) reach[index]!.record(delaysNs[needed - 1]!);
    } else if (had + unknown >= needed) {
      counts.unknown++;
    } else {
      counts.notReached++;
    }
  }
}
