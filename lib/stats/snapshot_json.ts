import { FileError, messageOf } from "../errors.ts";
import { failureKinds } from "./failure.ts";
import { Histogram } from "./histogram.ts";
import { type HistogramSummary, summarize } from "./histogram_summary.ts";
import * as read from "./json_fields.ts";
import { readOutages, readSpread } from "./outage_json.ts";
import { readRamp } from "./ramp_json.ts";
import {
  type ClientHistograms,
  type ClientSnapshot,
  type FailureCount,
  type MessageCounts,
  type RunIdentity,
  schemaVersion,
  type ServerCounts,
  type ServerSnapshot,
  type Snapshot,
  type Verdict,
  type WorkerState,
} from "./snapshot.ts";

/** A histogram as JSON. `encoded` is what makes it a histogram again; without it, it is a summary. */
export interface HistogramJson extends HistogramSummary {
  readonly encoded?: string;
}

export type ClientSnapshotJson = Omit<ClientSnapshot, "histograms"> & {
  readonly histograms: { readonly [Key in keyof ClientHistograms]: HistogramJson };
};

export type SnapshotJson = ClientSnapshotJson | ServerSnapshot;

export interface SnapshotJsonOptions {
  /**
   * Whether histograms carry all their buckets, as `parseSnapshot` needs them. It makes the text
   * several kilobytes longer and takes 0.2 ms a histogram.
   */
  readonly encoded: boolean;
}

/** A histogram as a plain object for `JSON.stringify`. */
export function histogramToJson(
  histogram: Histogram,
  { encoded }: SnapshotJsonOptions,
): HistogramJson {
  return { ...summarize(histogram), ...(encoded ? { encoded: histogram.encode() } : {}) };
}

/**
 * A snapshot as a plain object for `JSON.stringify`. Figures that do not exist (NaN: the percentile
 * of nothing) become `null` there.
 */
export function snapshotToJson(snapshot: Snapshot, options: SnapshotJsonOptions): SnapshotJson {
  if (snapshot.role === "server") return snapshot;
  const { response, service, connect, reconnect, scheduleError, lateness } = snapshot.histograms;
  return {
    ...snapshot,
    histograms: {
      response: histogramToJson(response, options),
      service: histogramToJson(service, options),
      connect: histogramToJson(connect, options),
      ...(reconnect === undefined ? {} : { reconnect: histogramToJson(reconnect, options) }),
      scheduleError: histogramToJson(scheduleError, options),
      lateness: histogramToJson(lateness, options),
    },
  };
}

/**
 * Reads a snapshot back, from JSON text or from the value parsed out of it. Its histograms must be
 * encoded. Unknown fields are ignored.
 *
 * @throws {FileError} it is no JSON, has another schema version, or a field is missing or wrong.
 */
export function parseSnapshot(json: unknown): Snapshot {
  const object = read.asObject(typeof json === "string" ? parseText(json) : json, "the snapshot");
  if (object["schemaVersion"] !== schemaVersion) {
    throw new FileError(
      `the snapshot has the schema version ${JSON.stringify(object["schemaVersion"])}; this is ` +
        `version ${schemaVersion} of it, so read it with the holdfast that wrote it`,
    );
  }
  const role = read.choice(object, "role", ["client", "server"]);
  return role === "client" ? readClient(object) : readServer(object);
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FileError(`the snapshot is not JSON: ${messageOf(cause)}`, { cause });
  }
}

function readClient(object: read.Fields): ClientSnapshot {
  const connections = read.object(object, "connections");
  const bytes = read.object(object, "bytes");
  const generator = read.object(object, "generator");
  const anomalies = read.object(object, "anomalies");
  return {
    schemaVersion,
    role: "client",
    run: readRun(read.object(object, "run")),
    endpoint: read.text(object, "endpoint"),
    codec: read.text(object, "codec"),
    messageBytes: read.number(object, "messageBytes"),
    arrivals: read.choice(object, "arrivals", [
      "poisson",
      "uniform",
      "interval",
      "inflight",
      "none",
    ]),
    phase: read.choice(object, "phase", ["ramp", "warmup", "steady", "drain", "done"]),
    elapsedMs: read.number(object, "elapsedMs"),
    steadyMs: read.number(object, "steadyMs"),
    steadyPlannedMs: read.number(object, "steadyPlannedMs"),
    interrupted: read.boolean(object, "interrupted"),
    ...(object["measuresRamp"] === undefined
      ? {}
      : { measuresRamp: read.boolean(object, "measuresRamp") }),
    connections: {
      ...read.numbers(connections, [
        "requested",
        "attempted",
        "opened",
        "open",
        "failed",
        "lost",
        "requestedPerSecond",
        "achievedPerSecond",
      ]),
      ...read.optional(connections, "lostUnused", read.number),
      ...read.optional(connections, "lostUnusedMessages", read.number),
      ...read.optional(connections, "reopened", read.number),
      ...read.optional(connections, "recycled", read.number),
      failures: readFailures(connections),
      ...(connections["openingMs"] === undefined
        ? {}
        : { openingMs: read.number(connections, "openingMs") }),
    },
    messages: readMessages(read.object(object, "messages")),
    steady: readMessages(read.object(object, "steady")),
    anomalies: read.numbers(anomalies, [
      "duplicated",
      "late",
      "reordered",
      "corrupted",
      "unknown",
    ]),
    requestedRate: read.number(object, "requestedRate"),
    achievedRate: read.number(object, "achievedRate"),
    bytes: read.numbers(bytes, ["sent", "received", "steadySent", "steadyReceived"]),
    answerStatuses: read.record(object, "answerStatuses", read.number),
    histograms: readHistograms(read.object(object, "histograms")),
    generator: read.numbers(generator, [
      "cpuUserSeconds",
      "cpuSystemSeconds",
      "rssBytes",
      "openFds",
      "steadyCpuShare",
      "steadyCpuWaitShare",
      "heldBackSends",
    ]),
    ...read.optional(object, "outages", (_, key) => readOutages(read.object(object, key))),
    ...read.optional(object, "servers", readSpread),
    ...readWorkers(object),
    verdict: object["verdict"] === undefined
      ? undefined
      : readVerdict(read.object(object, "verdict")),
    ...(object["overdue"] === undefined ? {} : {
      overdue: read.list(object, "overdue").map((each) => read.numbers(each, ["afterMs", "count"])),
    }),
    ...(object["ramp"] === undefined ? {} : { ramp: readRamp(read.object(object, "ramp")) }),
  };
}

function readServer(object: read.Fields): ServerSnapshot {
  const process = read.object(object, "process");
  return {
    schemaVersion,
    role: "server",
    run: readRun(read.object(object, "run")),
    elapsedMs: read.number(object, "elapsedMs"),
    endpoints: read.list(object, "endpoints").map((endpoint) => ({
      endpoint: read.text(endpoint, "endpoint"),
      counts: readServerCounts(read.object(endpoint, "counts")),
    })),
    total: readServerCounts(read.object(object, "total")),
    process: read.numbers(process, [
      "cpuUserSeconds",
      "cpuSystemSeconds",
      "rssBytes",
      "openFds",
    ]),
    ...readWorkers(object),
  };
}

/** Left out where one process did it all, and by earlier versions. */
function readWorkers(object: read.Fields): { workers?: WorkerState[] } {
  if (object["workers"] === undefined) return {};
  const ofClients = ["steadyCpuShare", "steadyCpuWaitShare", "latenessP99Ns"] as const;
  return {
    workers: read.list(object, "workers").map((worker) => ({
      ...read.numbers(worker, ["number", "pid", "open", "cpuSeconds", "rssBytes", "openFds"]),
      ...read.numbers(worker, ofClients.filter((key) => worker[key] !== undefined)),
      ends: read.list(worker, "ends").map((end) => ({
        ...read.numbers(end, ["pid", "atMs", "connections", "messages"]),
        reason: read.text(end, "reason"),
      })),
    })),
  };
}

function readServerCounts(object: read.Fields): ServerCounts {
  return {
    ...read.numbers(object, [
      "open",
      "accepted",
      "closed",
      "failed",
      "messages",
      "bytesReceived",
      "bytesSent",
      "dropped",
    ]),
    refused: read.record(object, "refused", read.number),
    failures: readFailures(object),
  };
}

function readRun(object: read.Fields): RunIdentity {
  return {
    version: read.text(object, "version"),
    host: read.text(object, "host"),
    pid: read.number(object, "pid"),
    startedAt: read.text(object, "startedAt"),
    labels: read.record(object, "labels", read.text),
    settings: read.record(object, "settings", read.text),
  };
}

function readMessages(object: read.Fields): MessageCounts {
  return {
    ...read.numbers(object, ["due", "sent", "answered", "inFlight", "queued"]),
    lost: read.numbers(read.object(object, "lost"), [
      "timeout",
      "closed",
      "corrupted",
      "unanswered",
    ]),
    unsent: read.numbers(read.object(object, "unsent"), [
      "noConnection",
      "heldBack",
      "generatorLate",
    ]),
  };
}

function readFailures(object: read.Fields): FailureCount[] {
  return read.list(object, "failures").map((failure) => ({
    kind: read.choice(failure, "kind", failureKinds),
    count: read.number(failure, "count"),
    firstAtMs: read.number(failure, "firstAtMs"),
    firstDetail: read.text(failure, "firstDetail"),
  }));
}

function readHistograms(object: read.Fields): ClientHistograms {
  const histogram = (key: keyof ClientHistograms) => {
    const fields = read.object(object, key);
    const exact = read.numbers(fields, ["count", "minNs", "maxNs", "meanNs", "clamped"]);
    if (exact.count === 0) return new Histogram();
    if (typeof fields["encoded"] !== "string") {
      throw new FileError(
        `the snapshot's histogram ${key} has no field "encoded": it is a summary, which cannot ` +
          `be read back (take the snapshot from --json, or from /stats?encoded=1)`,
      );
    }
    return Histogram.decode(fields["encoded"], exact);
  };
  return {
    response: histogram("response"),
    service: histogram("service"),
    connect: histogram("connect"),
    ...(object["reconnect"] === undefined ? {} : { reconnect: histogram("reconnect") }),
    scheduleError: histogram("scheduleError"),
    lateness: histogram("lateness"),
  };
}

function readVerdict(object: read.Fields): Verdict {
  return {
    kind: read.choice(object, "kind", [
      "ok",
      "expectation-failed",
      "invalid",
      "stopped-by-limit",
    ]),
    reasons: read.texts(object, "reasons"),
    expectations: read.list(object, "expectations").map((result) => ({
      expectation: read.text(result, "expectation"),
      measured: read.text(result, "measured"),
      passed: read.boolean(result, "passed"),
    })),
  };
}
