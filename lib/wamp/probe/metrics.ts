import type { Histogram } from "../../stats/histogram.ts";
import { type Metric, type MetricCatalogue, readerOf } from "../../stats/metrics.ts";
import {
  lostOf,
  type ProbeHistograms,
  type ProbeSnapshot,
  type RequestCounts,
} from "./snapshot.ts";

type ProbeMetric = Metric<ProbeSnapshot>;

const families: Readonly<Record<string, keyof ProbeHistograms>> = {
  ack: "acknowledgement",
  call: "call",
  delivery: "delivery",
  lateness: "lateness",
  connect: "connect",
  reconnect: "reconnect",
};

const without: Readonly<Record<keyof ProbeHistograms, string>> = {
  acknowledgement: "no publication was acknowledged",
  call: "no call was answered",
  delivery: "no event was received",
  lateness: "nothing was published",
  connect: "no session was opened",
  reconnect: "no session was opened again",
};

function ofPublications(value: (counts: RequestCounts) => number): ProbeMetric {
  return {
    quantity: "count",
    value: ({ publications }) => publications.sent > 0 ? value(publications) : NaN,
    whole: ({ publications }) => publications.sent,
    without: "nothing was published",
  };
}

function ofCalls(value: (counts: RequestCounts) => number): ProbeMetric {
  return {
    quantity: "count",
    value: ({ calls }) => calls.sent > 0 ? value(calls) : NaN,
    whole: ({ calls }) => calls.sent,
    without: "nothing was called",
  };
}

function ofEvents(key: keyof ProbeSnapshot["events"]): ProbeMetric {
  return {
    quantity: "count",
    value: ({ publications, events }) => publications.sent > 0 ? events[key] : NaN,
    whole: ({ events }) => events.unique + events.lost,
    without: "nothing was published",
  };
}

function perSecond(count: (snapshot: ProbeSnapshot) => number): ProbeMetric {
  return {
    quantity: "rate",
    value: (snapshot) => snapshot.steadyMs > 0 ? count(snapshot) / (snapshot.steadyMs / 1000) : NaN,
    without: "nothing was measured",
  };
}

const named: Readonly<Record<string, ProbeMetric>> = {
  rate: {
    quantity: "rate",
    value: ({ achievedRate, steadyMs }) => steadyMs > 0 ? achievedRate : NaN,
    whole: ({ requestedRate }) => requestedRate,
    without: "nothing was published",
  },
  "publications.sent": ofPublications(({ sent }) => sent),
  "publications.acknowledged": ofPublications(({ answered }) => answered),
  "publications.failed": ofPublications((counts) => lostOf(counts) + counts.refused),
  "calls.sent": ofCalls(({ sent }) => sent),
  "calls.answered": ofCalls(({ answered }) => answered),
  "calls.failed": ofCalls((counts) => lostOf(counts) + counts.refused),
  "events.received": ofEvents("received"),
  "events.forwarded": ofEvents("forwarded"),
  "events.lost": ofEvents("lost"),
  "events.missed-away": ofEvents("missedAway"),
  "events.duplicated": ofEvents("duplicated"),
  "events.out-of-order": ofEvents("outOfOrder"),
  "events.rate": perSecond(({ events }) => events.received),
  "sessions.open": ofSessions("open"),
  "sessions.failed": ofSessions("failed"),
  "sessions.lost": ofSessions("lost"),
};

function ofSessions(key: "open" | "failed" | "lost"): ProbeMetric {
  return {
    quantity: "count",
    value: ({ sessions }) => sessions.attempted > 0 ? sessions[key] : NaN,
    whole: ({ sessions }) => sessions.requested,
    without: "no session was attempted",
  };
}

function find(name: string): ProbeMetric | undefined {
  const found = named[name];
  if (found !== undefined) return found;
  const [family = "", ...rest] = name.split(".");
  const key = families[family];
  const read = readerOf(rest.join("."));
  if (key === undefined || read === undefined) return undefined;
  const value = (histogram: Histogram) => histogram.count === 0 ? NaN : read(histogram);
  return {
    quantity: "duration",
    value: ({ histograms }) => value(histograms[key]),
    without: without[key],
  };
}

const familyNames = Object.keys(families);

/** What `--expect` of the probe can name. */
export const probeMetrics: MetricCatalogue<ProbeSnapshot> = {
  names: [...Object.keys(named), `${familyNames.join("|")}.{p50|p99|p99.9|…|mean|min|max}`],
  similarNames: () => [...Object.keys(named), ...familyNames.map((family) => `${family}.p99`)],
  find,
};
