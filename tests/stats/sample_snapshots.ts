import { Histogram } from "../../lib/stats/histogram.ts";
import type { RampReport, RampRow } from "../../lib/stats/ramp.ts";
import {
  type ClientSnapshot,
  type MessageCounts,
  schemaVersion,
  type ServerCounts,
  type ServerSnapshot,
  type WorkerState,
} from "../../lib/stats/snapshot.ts";

/** Two workers, of which the second is busier and has been killed once. */
export function workerStates(): WorkerState[] {
  const first: WorkerState = {
    number: 1,
    pid: 5001,
    open: 3_000,
    cpuSeconds: 12.5,
    rssBytes: 40_000_000,
    openFds: 3_010,
    steadyCpuShare: 0.2,
    steadyCpuWaitShare: NaN,
    latenessP99Ns: 1_000,
    ends: [],
  };
  const end = { pid: 5002, atMs: 3_200, reason: "SIGKILL", connections: 2_000, messages: 12 };
  return [first, { ...first, number: 2, pid: 5003, open: 0, steadyCpuShare: 0.95, ends: [end] }];
}

/** A ramp that broke at 700 connections, in two rows of which the second had no answers. */
export function rampReport(): RampReport {
  const row: RampRow = {
    fromMs: 0,
    untilMs: 1000,
    connections: 700,
    failed: 0,
    closed: 0,
    sent: 400,
    answered: 399,
    lost: 1,
    meanNs: 2e6,
    minNs: 1e6,
    maxNs: 9e6,
    p99Ns: 8e6,
  };
  const silent = { meanNs: NaN, minNs: NaN, maxNs: NaN, p99Ns: NaN, answered: 0, failed: 41 };
  return {
    conditions: ["connections.failed>1%", "response.p99>1s"],
    rows: [row, { ...row, ...silent, fromMs: 1000, untilMs: 2000 }],
    knee: {
      atMs: 1000,
      connections: 700,
      broken: [{ condition: "connections.failed>1%", measured: "41.0 % (41)" }],
      affected: "new",
    },
    limit: {
      side: "server",
      name: "refusals",
      statement: "The target refuses new connections.",
      evidence: ["41 reset: ECONNRESET", "kernel: Tcp.OutRsts +41 (resets sent)"],
    },
  };
}

/** A histogram of the given milliseconds. */
export function histogramOfMs(...values: number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value * 1e6);
  return histogram;
}

/** `count` values spread evenly from one time to another, in milliseconds. */
export function evenHistogram(count: number, fromMs: number, toMs: number): Histogram {
  const histogram = new Histogram();
  for (let i = 0; i < count; i++) {
    histogram.record((fromMs + ((toMs - fromMs) * i) / Math.max(count - 1, 1)) * 1e6);
  }
  return histogram;
}

/** Messages that were all answered, changed by what is given. */
export function messages(count: number, changes: Partial<MessageCounts> = {}): MessageCounts {
  return {
    due: count,
    sent: count,
    answered: count,
    lost: { timeout: 0, closed: 0, corrupted: 0, unanswered: 0 },
    inFlight: 0,
    queued: 0,
    unsent: { noConnection: 0, heldBack: 0, generatorLate: 0 },
    ...changes,
  };
}

/** A run of 60 s at 50,000/s over 5,000 connections in which everything went well. */
export function clientSnapshot(changes: Partial<ClientSnapshot> = {}): ClientSnapshot {
  return {
    schemaVersion,
    role: "client",
    run: {
      version: "0.1.0",
      host: "box",
      pid: 4711,
      startedAt: "2026-03-01T12:00:00.000Z",
      labels: {},
      settings: { rate: "50000", connections: "5000" },
    },
    endpoint: "tcp://10.0.0.5:4242",
    codec: "echo",
    messageBytes: 64,
    arrivals: "poisson",
    phase: "done",
    elapsedMs: 75_250,
    steadyMs: 60_000,
    steadyPlannedMs: 60_000,
    interrupted: false,
    connections: {
      requested: 5_000,
      attempted: 5_000,
      opened: 5_000,
      open: 5_000,
      failed: 0,
      lost: 0,
      failures: [],
      requestedPerSecond: 500,
      achievedPerSecond: 499.9,
    },
    messages: messages(3_250_000),
    steady: messages(3_000_000),
    anomalies: { duplicated: 0, late: 0, reordered: 0, corrupted: 0, unknown: 0 },
    requestedRate: 50_000,
    achievedRate: 50_000,
    bytes: {
      sent: 208_000_000,
      received: 208_000_000,
      steadySent: 192_000_000,
      steadyReceived: 192_000_000,
    },
    answerStatuses: {},
    histograms: {
      response: evenHistogram(10_000, 0.041, 2.5),
      service: evenHistogram(10_000, 0.039, 2.4),
      connect: evenHistogram(5_000, 0.2, 3),
      scheduleError: evenHistogram(10_000, 0.001, 0.1),
      lateness: evenHistogram(10_000, 0.001, 0.1),
    },
    generator: {
      cpuUserSeconds: 12.34,
      cpuSystemSeconds: 15.06,
      rssBytes: 84_300_000,
      openFds: 5_021,
      steadyCpuShare: 0.45,
      steadyCpuWaitShare: 0.01,
      heldBackSends: 0,
    },
    verdict: { kind: "ok", reasons: [], expectations: [] },
    ...changes,
  };
}

export function serverCounts(changes: Partial<ServerCounts> = {}): ServerCounts {
  return {
    open: 0,
    accepted: 0,
    closed: 0,
    failed: 0,
    refused: {},
    messages: 0,
    bytesReceived: 0,
    bytesSent: 0,
    dropped: 0,
    failures: [],
    ...changes,
  };
}

/** A server with two endpoints, of which only the first was used. */
export function serverSnapshot(changes: Partial<ServerSnapshot> = {}): ServerSnapshot {
  const counts = serverCounts({
    open: 1_000,
    accepted: 1_203,
    closed: 200,
    failed: 3,
    refused: { "max-connections": 12 },
    messages: 1_200_000,
    bytesReceived: 76_800_000,
    bytesSent: 76_799_936,
    failures: [{
      kind: "reset",
      count: 3,
      firstAtMs: 12_300,
      firstDetail: "ECONNRESET read",
    }],
  });
  return {
    schemaVersion,
    role: "server",
    run: {
      version: "0.1.0",
      host: "box",
      pid: 4712,
      startedAt: "2026-03-01T12:00:00.000Z",
      labels: {},
      settings: {},
    },
    elapsedMs: 65_200,
    endpoints: [
      { endpoint: "tcp://[::]:4242", counts },
      { endpoint: "udp://[::]:4242", counts: serverCounts() },
    ],
    total: counts,
    process: { cpuUserSeconds: 4.2, cpuSystemSeconds: 9.75, rssBytes: 52_000_000, openFds: 1_024 },
    ...changes,
  };
}
