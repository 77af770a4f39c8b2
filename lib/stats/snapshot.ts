import type { FailureKind } from "./failure.ts";
import type { Histogram } from "./histogram.ts";
import type { OutageReport, ServerSpread } from "./outage.ts";
import type { OverdueCount, RampReport } from "./ramp.ts";

/** Raised when a field changes its meaning or goes; new fields alone do not raise it. */
export const schemaVersion = 1;

export type Phase = "ramp" | "warmup" | "steady" | "drain" | "done";

/** Which run this is; the same for every snapshot of it. */
export interface RunIdentity {
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  /** Wall-clock start, ISO 8601 with milliseconds. */
  readonly startedAt: string;
  /** `--label key=value`, as given. */
  readonly labels: Readonly<Record<string, string>>;
  /** Every option that is in force, flag name to value as text. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface FailureCount {
  readonly kind: FailureKind;
  count: number;
  /** Milliseconds after the start of the run. */
  firstAtMs: number;
  /** The native error of the first one. */
  firstDetail: string;
}

/** What a process has used since it started, and what it has now. */
export interface ProcessUsage {
  cpuUserSeconds: number;
  cpuSystemSeconds: number;
  rssBytes: number;
  openFds: number;
}

/** A process that ended before it was asked to. */
export interface WorkerEnd {
  pid: number;
  /** Milliseconds after the start of the run. */
  atMs: number;
  /** The signal that killed it, or its exit code and what it said. */
  reason: string;
  /** Connections that ended with it. */
  connections: number;
  /** Messages that were sent on them and not answered yet. */
  messages: number;
}

/** One of the processes that carry a run out together. */
export interface WorkerState {
  /** From 1. */
  number: number;
  pid: number;
  /** Connections open now. */
  open: number;
  cpuSeconds: number;
  rssBytes: number;
  openFds: number;
  /** Of a client: as in `GeneratorUsage`, and the p99 of its own lateness. */
  steadyCpuShare?: number;
  steadyCpuWaitShare?: number;
  latenessP99Ns?: number;
  ends: WorkerEnd[];
}

/**
 * With `--reconnect` and `--recycle` a connection can be opened several times: `attempted`, `opened`,
 * `failed` and `lost` count each time. Always: attempted = opened + failed + those being opened.
 */
export interface ConnectionCounts {
  requested: number;
  attempted: number;
  /** Reached the open state, at any time. */
  opened: number;
  /** Open now. */
  open: number;
  /** Never reached the open state; on UDP also those that were opened again and not answered. */
  failed: number;
  /** Ended without being asked to, after they were open. */
  lost: number;
  /** Of those lost: nothing was ever answered on them. How a server turns new ones away. */
  lostUnused?: number;
  /** Messages that were in flight on those. */
  lostUnusedMessages?: number;
  /** Of those opened: had been open before. opened - reopened have been open at some time. */
  reopened?: number;
  /** Closed on purpose (`--recycle`), to be opened again: open = opened - lost - recycled, always. */
  recycled?: number;
  failures: FailureCount[];
  /** Opens per second that the plan asked for; 0 where it did not matter. */
  requestedPerSecond: number;
  /** Opened for the first time, per second, from when the first was due to the last such open. */
  achievedPerSecond: number;
  /** How long that took; missing in files of earlier versions. */
  openingMs?: number;
}

/** Why messages were lost. */
export interface LossCounts {
  /** No answer within the reply timeout, counted from the intended time. */
  timeout: number;
  /** The connection ended first. */
  closed: number;
  /** The answer came, but was not what was sent. */
  corrupted: number;
  /** The run ended (drain over or interrupted) before the answer came. */
  unanswered: number;
}

/** Always: sent = answered + lost (all four) + inFlight, and due = sent + queued + unsent. */
export interface MessageCounts {
  /** What the plan called for until now. */
  due: number;
  /** Taken by the transport to the last byte. */
  sent: number;
  answered: number;
  lost: LossCounts;
  inFlight: number;
  /** Due and waiting for a connection that takes no more bytes at the moment; 0 after the run. */
  queued: number;
  unsent: UnsentCounts;
}

/** Why messages that were due were not sent. */
export interface UnsentCounts {
  /**
   * No connection was open. With `--interval`, where each connection has messages of its own: the
   * connection was not open, and is one that `--reconnect` opens again. Without that, nothing is due on
   * connections that are gone; and never on those that are not open yet, or being recycled.
   */
  noConnection: number;
  /**
   * The target took no more bytes until the reply timeout, the end of the connection or the run; or
   * it left so many messages unanswered that there was no number or room for another.
   */
  heldBack: number;
  /** The generator did not get to it. */
  generatorLate: number;
}

/** Answers that a correct peer and path would not have sent; none of them counts as answered. */
export interface AnomalyCounts {
  /** A further answer to a message that is answered already. */
  duplicated: number;
  /** An answer to a message that was counted as lost by timeout. */
  late: number;
  /** Overtaken by the answer to a message sent later on the same connection; these do count. */
  reordered: number;
  /** Bytes differ from what was sent, in the header or, with `--verify`, anywhere. */
  corrupted: number;
  /** An answer to nothing that was sent on this connection. */
  unknown: number;
}

export interface ClientSnapshot {
  readonly schemaVersion: typeof schemaVersion;
  readonly role: "client";
  readonly run: RunIdentity;
  readonly endpoint: string;
  readonly codec: string;
  readonly messageBytes: number;
  /** `inflight` is a closed loop: its percentiles leave out the waiting of messages not sent. */
  readonly arrivals: "poisson" | "uniform" | "interval" | "inflight" | "none";
  phase: Phase;
  elapsedMs: number;
  /** How much of the steady phase is over, and how long it is planned to be. */
  steadyMs: number;
  steadyPlannedMs: number;
  interrupted: boolean;
  /** The steady phase began with the first connect (`--no-barrier`); missing where it did not. */
  measuresRamp?: boolean;
  connections: ConnectionCounts;
  /** All messages of the run. */
  messages: MessageCounts;
  /** Those whose intended time lies in the steady phase; histograms hold only these. */
  steady: MessageCounts;
  anomalies: AnomalyCounts;
  /** Messages per second in the steady phase: what the plan called for, and what was sent. */
  requestedRate: number;
  achievedRate: number;
  /** Payload bytes as handed to and from the transport, whole run and steady phase. */
  bytes: { sent: number; received: number; steadySent: number; steadyReceived: number };
  answerStatuses: Record<string, number>;
  histograms: ClientHistograms;
  /** What the generator itself used and how late its loop ran, to judge whether it kept up. */
  generator: GeneratorUsage;
  /** With `--reconnect`. */
  outages?: OutageReport;
  /** Open connections by server, with `--reconnect` or `--identify`. */
  servers?: ServerSpread;
  /** The processes that generate the load, where it is not this one alone. */
  workers?: WorkerState[];
  /** Set when the run has ended. */
  verdict: Verdict | undefined;
  /** Ramps only: messages that wait for longer than each bound that `--break-when` sets. */
  overdue?: OverdueCount[];
  /** Ramps only. */
  ramp?: RampReport;
}

/** All in nanoseconds. */
export interface ClientHistograms {
  /** Answer minus intended time. */
  response: Histogram;
  /** Answer minus actual send. */
  service: Histogram;
  /** Whole run: from the attempt to the open state. */
  connect: Histogram;
  /** Of those, the connections that had been open before; left out where there were none. */
  reconnect?: Histogram;
  /** Actual send minus intended time, whatever held the send up. */
  scheduleError: Histogram;
  /** When the generator picked the message up minus its intended time: its own lateness alone. */
  lateness: Histogram;
}

export interface GeneratorUsage extends ProcessUsage {
  /** CPU of the steady phase divided by its time; 1 is one core. That of all workers together. */
  steadyCpuShare: number;
  /**
   * Share of the steady phase in which it was ready to run and had no CPU; NaN where unknown. That of
   * the worker that waited longest.
   */
  steadyCpuWaitShare: number;
  /** Sends that a full connection (backpressure) held up in the steady phase. */
  heldBackSends: number;
}

export type VerdictKind = "ok" | "expectation-failed" | "invalid" | "stopped-by-limit";

export interface Verdict {
  readonly kind: VerdictKind;
  /** One sentence each, with the figures that it rests on. */
  readonly reasons: readonly string[];
  readonly expectations: readonly ExpectationResult[];
}

export interface ExpectationResult {
  readonly expectation: string;
  readonly measured: string;
  readonly passed: boolean;
}

export interface ServerCounts {
  /** Open now. */
  open: number;
  accepted: number;
  /** Ended in order, by either side. */
  closed: number;
  /** Ended by an error of theirs or of the path. */
  failed: number;
  /** Not let in, by reason: `max-connections`, `fd-limit`, `tls`, `protocol` … */
  refused: Record<string, number>;
  /** On streams, calls in which bytes arrived: a stream has no messages of its own. */
  messages: number;
  bytesReceived: number;
  bytesSent: number;
  /** Datagrams left unanswered because of where they came from, or for want of buffer space. */
  dropped: number;
  failures: FailureCount[];
}

export interface ServerSnapshot {
  readonly schemaVersion: typeof schemaVersion;
  readonly role: "server";
  readonly run: RunIdentity;
  elapsedMs: number;
  endpoints: { endpoint: string; counts: ServerCounts }[];
  total: ServerCounts;
  /** Of all workers together. */
  process: ProcessUsage;
  /** The processes that serve, where it is not this one alone. */
  workers?: WorkerState[];
}

export type Snapshot = ClientSnapshot | ServerSnapshot;
