import type { Quantity } from "./expectation_value.ts";
import { failureKinds } from "./failure.ts";
import { Histogram } from "./histogram.ts";
import { outageMetrics } from "./outage_metrics.ts";
import type { ClientSnapshot, LossCounts, MessageCounts } from "./snapshot.ts";

/** A figure of a run, of a client's where nothing else is said, that an expectation can name. */
export interface Metric<Run = ClientSnapshot> {
  readonly quantity: Quantity;
  /** NaN where the run has no data for it. */
  value(snapshot: Run): number;
  /** What a percentage is a percentage of; metrics without it take none. */
  whole?(snapshot: Run): number;
  /** Why there may be no data. */
  readonly without: string;
}

/** All metrics of one kind of run. */
export interface MetricCatalogue<Run> {
  /** For messages and help; a family is shown as a pattern. */
  readonly names: readonly string[];
  /** Names to compare a misspelt one with. */
  similarNames(): readonly string[];
  find(name: string): Metric<Run> | undefined;
}

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

const histograms: Readonly<Record<string, (snapshot: ClientSnapshot) => Histogram>> = {
  response: (snapshot) => snapshot.histograms.response,
  service: (snapshot) => snapshot.histograms.service,
  connect: (snapshot) => snapshot.histograms.connect,
  reconnect: (snapshot) => snapshot.histograms.reconnect ?? nothing,
  schedule: (snapshot) => snapshot.histograms.scheduleError,
  lateness: (snapshot) => snapshot.histograms.lateness,
};

const withoutTimes: Readonly<Record<string, string>> = {
  response: "no message was answered in the steady phase",
  service: "no message was answered in the steady phase",
  connect: "no connection was opened",
  reconnect: "no connection was opened again",
  schedule: noMessages,
  lateness: noMessages,
};

const usualStatistics = ["min", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"];

/** The metrics there are, for messages and help; a family is shown as a pattern. */
export const metricNames: readonly string[] = [
  ...Object.keys(histograms).map((name) => `${name}.<min|mean|p50|p99|p99.9|…|max>`),
  ...Object.keys(named),
  "failures.<kind>",
  "status.<name>",
];

/** Names to compare a misspelt one with. */
function similarMetricNames(): string[] {
  return [
    ...Object.keys(named),
    ...Object.keys(histograms).flatMap((name) =>
      usualStatistics.map((statistic) => `${name}.${statistic}`)
    ),
    ...failureKinds.map((kind) => `failures.${kind}`),
  ];
}

/** The metric of that name, or undefined. */
function findMetric(name: string): Metric | undefined {
  if (Object.hasOwn(named, name)) return named[name];
  const dot = name.indexOf(".");
  if (dot < 0) return undefined;
  const [family, member] = [name.slice(0, dot), name.slice(dot + 1)];
  if (family === "failures") return failureMetric(member);
  if (family === "status") return member === "" ? undefined : statusMetric(member);
  return Object.hasOwn(histograms, family) ? timeMetric(family, member) : undefined;
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

function timeMetric(family: string, statistic: string): Metric | undefined {
  const histogramOf = histograms[family]!;
  const read = readerOf(statistic);
  if (read === undefined) return undefined;
  return {
    quantity: "duration",
    value: (snapshot) => read(histogramOf(snapshot)),
    without: withoutTimes[family]!,
  };
}

/** Times that have statistics. */
export type Times = Pick<Histogram, "minNs" | "meanNs" | "maxNs" | "percentileNs">;

/** Reads `p99.9`, `mean`, `min` or `max` of a histogram; undefined for any other name. */
export function readerOf(statistic: string): ((histogram: Times) => number) | undefined {
  if (statistic === "min") return (histogram) => histogram.minNs;
  if (statistic === "mean") return (histogram) => histogram.meanNs;
  if (statistic === "max") return (histogram) => histogram.maxNs;
  const percentile = /^p(\d{1,3}(?:\.\d+)?)$/.exec(statistic)?.[1];
  if (percentile === undefined || Number(percentile) > 100) return undefined;
  return (histogram) => histogram.percentileNs(Number(percentile));
}

export const clientMetrics: MetricCatalogue<ClientSnapshot> = {
  names: metricNames,
  similarNames: similarMetricNames,
  find: findMetric,
};
