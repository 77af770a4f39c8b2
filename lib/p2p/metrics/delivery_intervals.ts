import type { Histogram } from "../../stats/histogram.ts";
import { type HistogramSummary, summarize } from "../../stats/histogram_summary.ts";

/** What happened between two events. */
export interface DeliveryInterval {
  readonly lengthMs: number;
  readonly delivery: HistogramSummary;
}

/**
 * Tells, with each call, which deliveries came since the call before; undefined for the first, and
 * where counting began anew.
 */
export function deliveryIntervals(): (
  elapsedMs: number,
  delivery: Histogram,
) => DeliveryInterval | undefined {
  let last: { readonly elapsedMs: number; readonly delivery: Histogram } | undefined;
  return (elapsedMs, delivery) => {
    const before = last;
    // Snapshots hold copies: it does not change any more.
    last = { elapsedMs, delivery };
    if (before === undefined || delivery.count < before.delivery.count) return undefined;
    return {
      lengthMs: elapsedMs - before.elapsedMs,
      delivery: summarize(delivery.since(before.delivery)),
    };
  };
}
