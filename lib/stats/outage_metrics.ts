import type { Metric } from "./metric_catalogue.ts";
import type { Outage } from "./outage.ts";
import type { ClientSnapshot } from "./snapshot.ts";

const noOutage = "there was no outage";
const notBack = "there was no outage, or not all connections came back from one";

const listOf = (snapshot: ClientSnapshot) => snapshot.outages?.list ?? [];

/** The worst outage of the run; NaN where there was none, or where one has no such figure. */
function worst(snapshot: ClientSnapshot, figure: (outage: Outage) => number): number {
  const list = listOf(snapshot);
  return list.length === 0 ? NaN : Math.max(...list.map(figure));
}

function longest(figureMs: (outage: Outage) => number, without: string): Metric {
  return {
    quantity: "duration",
    value: (snapshot) => worst(snapshot, figureMs) * 1e6,
    without,
  };
}

function allTogether(figure: (outage: Outage) => number): Metric {
  return {
    quantity: "count",
    value: (snapshot) => {
      const list = listOf(snapshot);
      return list.length === 0 ? NaN : list.reduce((sum, outage) => sum + figure(outage), 0);
    },
    without: noOutage,
  };
}

/** Figures of outages: times are those of the worst one, messages those of all. */
export const outageMetrics: Readonly<Record<string, Metric>> = {
  "outages": {
    quantity: "count",
    value: ({ outages }) => outages?.total ?? NaN,
    without: "outages are only known with --reconnect",
  },
  "outage.connections": {
    quantity: "count",
    value: (snapshot) => worst(snapshot, ({ connections }) => connections),
    whole: ({ connections }) => connections.requested,
    without: noOutage,
  },
  "outage.back50": longest(({ back50Ms }) => back50Ms, notBack),
  "outage.back99": longest(({ back99Ms }) => back99Ms, notBack),
  "outage.back100": longest(({ backAllMs }) => backAllMs, notBack),
  "outage.gap": longest(({ longestGapMs }) => longestGapMs, noOutage),
  "outage.lost": allTogether(({ lost }) => lost),
  "outage.unsent": allTogether(({ unsent }) => unsent),
  "outage.duplicated": allTogether(({ duplicated }) => duplicated),
  "outage.late": allTogether(({ late }) => late),
};
