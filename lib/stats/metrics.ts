import { failureKinds } from "./failure.ts";
import { Histogram } from "./histogram.ts";
import {
  catalogueOf,
  type Metric,
  type MetricCatalogue,
  type TimeFamily,
} from "./metric_catalogue.ts";
import { outageMetrics } from "./outage_metrics.ts";
import type { ClientSnapshot, LossCounts, MessageCounts } from "./snapshot.ts";

/** All messages that were sent and are known not to be answered. */
export function totalLost(lost: LossCounts): number {
  return lost.timeout + lost.closed + lost.corrupted + lost.unanswered;
}

/** All messages that were due and will not be sent. */
export function totalUnsent({ unsent }: MessageCounts): number {
  return unsent.noConnection + unsent.heldBack + unsent.generatorLate;
}

const noMessages = "no message was sent in the steady phase";

const sent = (snapshot: ClientSnapshot) => snapshot.steady.sent;
const due = (snapshot: ClientSnapshot) => snapshot.steady.due;

/** Losses mean nothing where nothing was sent: such an expectation must not pass. */
function ofSteady(value: (steady: MessageCounts) => number): Metric {
  return {
    quantity: "count",
    value: (snapshot) => snapshot.steady.sent > 0 ? value(snapshot.steady) : NaN,
    whole: sent,
    without: noMessages,
  };
}

function ofDue(value: (steady: MessageCounts) => number): Metric {
  return {
    quantity: "count",
    value: (snapshot) => snapshot.steady.due > 0 ? value(snapshot.steady) : NaN,
    whole: due,
    without: "no message was due in the steady phase",
  };
}

function anomaly(key: keyof ClientSnapshot["anomalies"]): Metric {
  return {
    quantity: "count",
    value: (snapshot) => snapshot.messages.sent > 0 ? snapshot.anomalies[key] : NaN,
    whole: (snapshot) => snapshot.messages.sent,
    without: "no message was sent",
  };
}

function ofConnections(
  key: "open" | "opened" | "failed" | "lost" | "reopened" | "recycled",
): Metric {
  return {
    quantity: "count",
    value: ({ connections }) => connections.attempted > 0 ? connections[key] ?? NaN : NaN,
    whole: (snapshot) => snapshot.connections.requested,
    without: key === "reopened" || key === "recycled"
      ? "connections are opened again only with --reconnect or --recycle"
      : "no connection was attempted",
  };
}

function steadyBytes(key: "steadySent" | "steadyReceived", perSecond: boolean): Metric {
  return {
    quantity: "bytes",
    value: ({ bytes, steady, steadyMs }) => {
      if (!(steady.sent > 0 && steadyMs > 0)) return NaN;
      return perSecond ? bytes[key] / (steadyMs / 1000) : bytes[key];
    },
    without: noMessages,
  };
}

/** Metrics with a name of their own; those of histograms, failures and statuses have families. */
const named: Readonly<Record<string, Metric>> = {
  sent: { ...ofDue((steady) => steady.sent) },
  answered: ofSteady((steady) => steady.answered),
  lost: ofSteady((steady) => totalLost(steady.lost)),
  "lost.timeout": ofSteady((steady) => steady.lost.timeout),
  "lost.closed": ofSteady((steady) => steady.lost.closed),
  "lost.corrupted": ofSteady((steady) => steady.lost.corrupted),
  "lost.unanswered": ofSteady((steady) => steady.lost.unanswered),
  unsent: ofDue(totalUnsent),
  "unsent.no-connection": ofDue((steady) => steady.unsent.noConnection),
  "unsent.held-back": ofDue((steady) => steady.unsent.heldBack),
  "unsent.generator-late": ofDue((steady) => steady.unsent.generatorLate),
  rate: {
    quantity: "rate",
    value: (snapshot) => snapshot.steady.due > 0 ? snapshot.achievedRate : NaN,
    whole: (snapshot) => snapshot.requestedRate,
    without: "no message was due in the steady phase",
  },
  "rate.achieved": {
    quantity: "share",
    value: (snapshot) => snapshot.achievedRate / snapshot.requestedRate,
    without: "no rate was requested",
  },
  "connections.open": ofConnections("open"),
  "connections.opened": ofConnections("opened"),
  "connections.failed": ofConnections("failed"),
  "connections.lost": ofConnections("lost"),
  "connections.reopened": ofConnections("reopened"),
  "connections.recycled": ofConnections("recycled"),
  "connect.rate": {
    quantity: "rate",
    value: ({ connections }) => connections.opened > 0 ? connections.achievedPerSecond : NaN,
    whole: ({ connections }) => connections.requestedPerSecond,
    without: "no connection was opened",
  },
  duplicated: anomaly("duplicated"),
  reordered: anomaly("reordered"),
  corrupted: anomaly("corrupted"),
  late: anomaly("late"),
  unknown: anomaly("unknown"),
  "bytes.sent": steadyBytes("steadySent", false),
  "bytes.received": steadyBytes("steadyReceived", false),
  "bytes.sent-rate": steadyBytes("steadySent", true),
  "bytes.received-rate": steadyBytes("steadyReceived", true),
  cpu: {
    quantity: "cores",
    value: (snapshot) => snapshot.steadyMs > 0 ? snapshot.generator.steadyCpuShare : NaN,
    without: "the steady phase was not reached",
  },
  ...outageMetrics,
};

const nothing = new Histogram();

const times = (
  of: (snapshot: ClientSnapshot) => Histogram,
  without: string,
): TimeFamily<ClientSnapshot> => ({ of, without });

const noAnswers = "no message was answered in the steady phase";

const ofSnapshots = catalogueOf(named, {
  response: times(({ histograms }) => histograms.response, noAnswers),
  service: times(({ histograms }) => histograms.service, noAnswers),
  connect: times(({ histograms }) => histograms.connect, "no connection was opened"),
  reconnect: times(
    ({ histograms }) => histograms.reconnect ?? nothing,
    "no connection was opened again",
  ),
  schedule: times(({ histograms }) => histograms.scheduleError, noMessages),
  lateness: times(({ histograms }) => histograms.lateness, noMessages),
});

/** The metrics there are, for messages and help; a family is shown as a pattern. */
export const metricNames: readonly string[] = [
  ...ofSnapshots.names,
  "failures.<kind>",
  "status.<name>",
];

/** The metric of that name, or undefined. */
function findMetric(name: string): Metric | undefined {
  const found = ofSnapshots.find(name);
  if (found !== undefined) return found;
  const [, family, member = ""] = /^(failures|status)\.(.+)$/s.exec(name) ?? [];
  if (family === undefined) return undefined;
  return family === "failures" ? failureMetric(member) : statusMetric(member);
}

function failureMetric(kind: string): Metric | undefined {
  if (!failureKinds.some((each) => each === kind)) return undefined;
  return {
    quantity: "count",
    value: ({ connections }) => {
      if (connections.attempted === 0) return NaN;
      return connections.failures.find((failure) => failure.kind === kind)?.count ?? 0;
    },
    whole: ({ connections }) => connections.attempted,
    without: "no connection was attempted",
  };
}

function statusMetric(status: string): Metric {
  const total = (snapshot: ClientSnapshot) =>
    Object.values(snapshot.answerStatuses).reduce((sum, count) => sum + count, 0);
  return {
    quantity: "count",
    value: (snapshot) => total(snapshot) > 0 ? snapshot.answerStatuses[status] ?? 0 : NaN,
    whole: total,
    without: "no answer had a status",
  };
}

export const clientMetrics: MetricCatalogue<ClientSnapshot> = {
  names: metricNames,
  similarNames: () => [
    ...ofSnapshots.similarNames(),
    ...failureKinds.map((kind) => `failures.${kind}`),
  ],
  find: findMetric,
};
