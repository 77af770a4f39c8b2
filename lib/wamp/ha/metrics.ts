import type { Metric, MetricCatalogue } from "../../stats/metric_catalogue.ts";
import { probeMetrics } from "../probe/metrics.ts";
import { type HaSnapshot, spreadDifference, type StepReport } from "./snapshot.ts";

type HaMetric = Metric<HaSnapshot>;

/** The worst step; steps without such a figure do not count. */
function worst(figureMs: (step: StepReport) => number, without: string): HaMetric {
  return {
    quantity: "duration",
    value({ steps }) {
      const found = steps.map(figureMs).filter((value) => !Number.isNaN(value));
      return found.length === 0 ? NaN : Math.max(...found) * 1e6;
    },
    without,
  };
}

const noLoss = "no session was lost";

const named: Readonly<Record<string, HaMetric>> = {
  detection: worst(({ detectedMs }) => detectedMs, noLoss),
  "marked-down": worst(({ markedDownMs }) => markedDownMs, "the balancer took no node for down"),
  "all-back": worst(
    ({ lost, allBackMs }) => lost > 0 ? (Number.isNaN(allBackMs) ? Infinity : allBackMs) : NaN,
    noLoss,
  ),
  "reconnect.p50": worst(({ reconnectP50Ms }) => reconnectP50Ms, noLoss),
  "reconnect.p95": worst(({ reconnectP95Ms }) => reconnectP95Ms, noLoss),
  "reconnect.max": worst(({ reconnectMaxMs }) => reconnectMaxMs, noLoss),
  "spread.difference": {
    quantity: "count",
    value: ({ probe }) => spreadDifference(probe.nodes),
    without: "no session was open at the end",
  },
};

/** What `--expect` can name: the worst step's figures, and those of the probe. */
export const haMetrics: MetricCatalogue<HaSnapshot> = {
  names: [...Object.keys(named), ...probeMetrics.names],
  similarNames: () => [...Object.keys(named), ...probeMetrics.similarNames()],
  find(name) {
    if (Object.hasOwn(named, name)) return named[name];
    const ofProbe = probeMetrics.find(name);
    if (ofProbe === undefined) return undefined;
    const { quantity, value, whole, without } = ofProbe;
    return {
      quantity,
      value: ({ probe }) => value(probe),
      ...(whole === undefined ? {} : { whole: ({ probe }: HaSnapshot) => whole(probe) }),
      without,
    };
  },
};
