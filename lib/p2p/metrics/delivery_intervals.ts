import { type HistogramSummary, summarize } from "../../stats/histogram_summary.ts";
import type { OneWayDelays } from "../one_way_delays.ts";

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
  delays: OneWayDelays,
) => DeliveryInterval | undefined {
  let last: { readonly elapsedMs: number; readonly delays: OneWayDelays } | undefined;
  return (elapsedMs, delays) => {
    const before = last;
    // Snapshots hold copies: it does not change any more.
    last = { elapsedMs, delays };
    if (before === undefined || delays.count < before.delays.count) return undefined;
    return {
      lengthMs: elapsedMs - before.elapsedMs,
      delivery: summarize(delays.since(before.delays)),
    };
  };
}
