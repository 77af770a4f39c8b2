import type { StatsView } from "../../report/stats_view.ts";
import { deliveryIntervals } from "../metrics/delivery_intervals.ts";
import { p2pPage } from "../metrics/p2p_page.ts";
import { delaysOf } from "../snapshot.ts";
import { networkExposition } from "./network_exposition.ts";
import { networkToJson } from "./network_json.ts";
import type { NetworkSnapshot } from "./snapshot.ts";

/** What the parent serves: all nodes together. */
export function networkView(read: () => NetworkSnapshot): StatsView {
  return {
    stats: (options) => networkToJson(read(), options),
    metrics: () => networkExposition(read()),
    page: p2pPage,
    events: () => {
      const intervalTo = deliveryIntervals();
      return () => {
        const snapshot = read();
        const interval = intervalTo(snapshot.elapsedMs, delaysOf(snapshot.histograms));
        return { ...networkToJson(snapshot, { encoded: false }), interval };
      };
    },
  };
}
