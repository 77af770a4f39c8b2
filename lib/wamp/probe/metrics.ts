import {
  catalogueOf,
  type Metric,
  type MetricCatalogue,
  type TimeFamily,
} from "../../stats/metric_catalogue.ts";
import {
  lostOf,
  type ProbeHistograms,
  type ProbeSnapshot,
  type RequestCounts,
} from "./snapshot.ts";

type ProbeMetric = Metric<ProbeSnapshot>;

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

const times = (key: keyof ProbeHistograms, without: string): TimeFamily<ProbeSnapshot> => ({
  of: ({ histograms }) => histograms[key],
  without,
});

/** What `--expect` of the probe can name. */
export const probeMetrics: MetricCatalogue<ProbeSnapshot> = catalogueOf(named, {
  ack: times("acknowledgement", "no publication was acknowledged"),
  call: times("call", "no call was answered"),
  delivery: times("delivery", "no event was received"),
  lateness: times("lateness", "nothing was published"),
  connect: times("connect", "no session was opened"),
  reconnect: times("reconnect", "no session was opened again"),
});
