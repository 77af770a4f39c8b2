import {
  catalogueOf,
  type Metric,
  type MetricCatalogue,
  type TimeFamily,
} from "../../stats/metric_catalogue.ts";
import { delaysOf, totalDropped } from "../snapshot.ts";
import { type DeliveryCounts, lostOf } from "./delivery_counts.ts";
import type { NetworkHistograms, NetworkSnapshot } from "./snapshot.ts";

type NetworkMetric = Metric<NetworkSnapshot>;

/** Figures of deliveries mean nothing where nothing was sent: such an expectation must not pass. */
function ofDeliveries(value: (counts: DeliveryCounts) => number): NetworkMetric {
  return {
    quantity: "count",
    value: ({ deliveries }) => deliveries.expected > 0 ? value(deliveries) : NaN,
    whole: ({ deliveries }) => deliveries.expected,
    without: "no message was sent",
  };
}

function ofDue(value: (snapshot: NetworkSnapshot) => number): NetworkMetric {
  return {
    quantity: "count",
    value: (snapshot) => snapshot.broadcast.due > 0 ? value(snapshot) : NaN,
    whole: ({ broadcast }) => broadcast.due,
    without: "no message was due",
  };
}

const named: Readonly<Record<string, NetworkMetric>> = {
  due: { ...ofDue(({ broadcast }) => broadcast.due) },
  sent: ofDue(({ deliveries }) => deliveries.sent),
  dropped: ofDue(({ broadcast }) => totalDropped(broadcast)),
  delivered: ofDeliveries(({ delivered }) => delivered),
  lost: ofDeliveries(lostOf),
  "lost.missed": ofDeliveries(({ missed }) => missed),
  "lost.while-down": ofDeliveries(({ missedWhileDown }) => missedWhileDown),
  unknown: ofDeliveries(({ unknown }) => unknown),
  "delivery.negative": {
    quantity: "count",
    value: ({ histograms, deliveries }) =>
      deliveries.expected > 0 ? delaysOf(histograms).negativeCount : NaN,
    whole: ({ histograms }) => delaysOf(histograms).count,
    without: "no message was sent",
  },
  duplicates: ofDeliveries(({ duplicated }) => duplicated),
  "out-of-order": ofDeliveries(({ outOfOrder }) => outOfOrder),
  late: ofDeliveries(({ late }) => late),
  mesh: {
    quantity: "duration",
    value: ({ fullMeshAfterMs }) => fullMeshAfterMs * 1e6,
    without: "the mesh was never full",
  },
  cpu: {
    quantity: "cores",
    value: ({ nodes }) => nodes.reduce((total, { cpuShare }) => total + cpuShare, 0),
    without: "a node has not run",
  },
};

const times = (
  key: keyof NetworkHistograms,
  without = "no message was delivered",
): TimeFamily<NetworkSnapshot> => ({ of: ({ histograms }) => histograms[key], without });

/** What `--expect` of `holdfast p2p local` can name. */
export const networkMetrics: MetricCatalogue<NetworkSnapshot> = catalogueOf(named, {
  delivery: { ...times("delivery"), of: ({ histograms }) => delaysOf(histograms) },
  "reach-50": times("reach50"),
  "reach-99": times("reach99"),
  "reach-100": times("reach100"),
  "send-delay": times("sendDelay"),
  lateness: times("lateness"),
  ping: times("ping", "no ping came back"),
});
