import { type Metric, type MetricCatalogue, readerOf, type Times } from "../../stats/metrics.ts";
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

/** As expectations call them. */
const families: Readonly<Record<string, keyof NetworkHistograms>> = {
  delivery: "delivery",
  "reach-50": "reach50",
  "reach-99": "reach99",
  "reach-100": "reach100",
  "send-delay": "sendDelay",
  lateness: "lateness",
  ping: "ping",
};

const usualStatistics = ["min", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"];

function find(name: string): NetworkMetric | undefined {
  if (Object.hasOwn(named, name)) return named[name];
  const dot = name.indexOf(".");
  const family = name.slice(0, dot);
  const key = dot < 0 || !Object.hasOwn(families, family) ? undefined : families[family];
  const read = readerOf(name.slice(dot + 1));
  if (key === undefined || read === undefined) return undefined;
  return {
    quantity: "duration",
    value: (snapshot) => read(timesOf(snapshot, key)),
    without: key === "ping" ? "no ping came back" : "no message was delivered",
  };
}

function timesOf({ histograms }: NetworkSnapshot, key: keyof NetworkHistograms): Times {
  return key === "delivery" ? delaysOf(histograms) : histograms[key];
}

/** What `--expect` of `holdfast p2p local` can name. */
export const networkMetrics: MetricCatalogue<NetworkSnapshot> = {
  names: [
    ...Object.keys(families).map((name) => `${name}.<min|mean|p50|p99|p99.9|…|max>`),
    ...Object.keys(named),
  ],
  similarNames: () => [
    ...Object.keys(named),
    ...Object.keys(families).flatMap((name) =>
      usualStatistics.map((statistic) => `${name}.${statistic}`)
    ),
  ],
  find,
};
