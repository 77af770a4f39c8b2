import type { Histogram } from "../../stats/histogram.ts";
import type { OutageReport, ServerSpread } from "../../stats/outage.ts";
import type {
  ConnectionCounts,
  ProcessUsage,
  RunIdentity,
  schemaVersion,
  Verdict,
  WorkerEnd,
} from "../../stats/snapshot.ts";

/**
 * `ramp`: sessions join and subscribe; `steady`: publications go out; `drain`: the last answers and
 * events are awaited.
 */
export const probePhases = ["ramp", "steady", "drain", "done"] as const;

export type ProbePhase = (typeof probePhases)[number];

/** Always: sent = answered + refused + timeout + closed + unanswered + inFlight. */
export interface RequestCounts {
  /** What the plan called for until now: sent + noConnection + heldBack + generatorLate. */
  due: number;
  sent: number;
  /** PUBLISHED; of calls a RESULT with the right fingerprint. */
  answered: number;
  /** ERROR, or a RESULT with another fingerprint. */
  refused: number;
  /** No answer within `--timeout`, counted from the intended time. */
  timeout: number;
  /** The session ended first. */
  closed: number;
  /** The run ended first. */
  unanswered: number;
  inFlight: number;
  /** Not sent: the session was not open. */
  noConnection: number;
  /** Not sent: the router took no more bytes. */
  heldBack: number;
  /** Not sent: the probe did not get to it. */
  generatorLate: number;
  /** Answers that came after `--timeout`; they do not count as answered. */
  late: number;
}

export interface EventCounts {
  /** Events of this run's publishers, copies included. */
  received: number;
  /** Of those, over a link between routers. */
  forwarded: number;
  /** Bytes of their payloads. */
  payloadBytes: number;
  /** Events that no publisher of this run has sent. */
  foreign: number;
  /** Each publication once for each subscriber. */
  unique: number;
  outOfOrder: number;
  duplicated: number;
  /** Passed over by a later one and not there yet. */
  missing: number;
  /** Published while their subscriber was not connected. */
  missedAway: number;
  /** Acknowledged, not received by a subscriber that was connected; known when the run is over. */
  lost: number;
}

/** What became of the publications of one publisher; known when the run is over. */
export interface PublisherRow {
  readonly name: string;
  readonly published: number;
  readonly acknowledged: number;
  /** By all subscribers together, each publication once. */
  received: number;
  lost: number;
  missedAway: number;
  duplicated: number;
  outOfOrder: number;
}

/** All in nanoseconds. */
export interface ProbeHistograms {
  /** PUBLISHED minus intended time. */
  acknowledgement: Histogram;
  /** RESULT minus intended time. */
  call: Histogram;
  /** EVENT minus intended time; first copies. */
  delivery: Histogram;
  /** When the probe picked a publication up minus its intended time. */
  lateness: Histogram;
  /** From the connect to SUBSCRIBED. */
  connect: Histogram;
  /** From the loss of a session to SUBSCRIBED again. */
  reconnect: Histogram;
}

export const probeHistogramNames = [
  "acknowledgement",
  "call",
  "delivery",
  "lateness",
  "connect",
  "reconnect",
] as const satisfies readonly (keyof ProbeHistograms)[];

export interface ProbeUsage extends ProcessUsage {
  contextSwitches: number;
  /** CPU of the steady phase divided by its time, of all processes; 1 is one core. */
  steadyCpuShare: number;
  /** That of the busiest process. */
  busiestCpuShare: number;
  /** The longest share of the steady phase in which a process waited for a CPU; NaN where unknown. */
  steadyCpuWaitShare: number;
}

export interface ProbeSnapshot {
  readonly schemaVersion: typeof schemaVersion;
  readonly role: "wamp-probe";
  readonly run: RunIdentity;
  readonly urls: readonly string[];
  readonly realm: string;
  readonly subprotocol: string;
  readonly logname: string;
  readonly payloadBytes: number;
  readonly isOpenLoop: boolean;
  /** How many of each there are in all processes. */
  readonly clients: number;
  readonly publishers: number;
  readonly procedures: readonly string[];
  phase: ProbePhase;
  elapsedMs: number;
  steadyMs: number;
  steadyPlannedMs: number;
  interrupted: boolean;
  sessions: ConnectionCounts;
  publications: RequestCounts;
  calls: RequestCounts;
  /** Errors that answered requests, by URI. */
  errors: Record<string, number>;
  events: EventCounts;
  /** Publications per second of the steady phase. */
  requestedRate: number;
  achievedRate: number;
  /** Bytes of WAMP messages sent and received. */
  bytes: { sent: number; received: number };
  /** Rows of publishers: when the run is over. */
  publisherRows: PublisherRow[];
  nodes: ServerSpread;
  outages: OutageReport;
  usage: ProbeUsage;
  ends: (WorkerEnd & { readonly number: number })[];
  histograms: ProbeHistograms;
  verdict: Verdict | undefined;
}

export function emptyRequestCounts(): RequestCounts {
  return {
    due: 0,
    sent: 0,
    answered: 0,
    refused: 0,
    timeout: 0,
    closed: 0,
    unanswered: 0,
    inFlight: 0,
    noConnection: 0,
    heldBack: 0,
    generatorLate: 0,
    late: 0,
  };
}

/** All that were sent and are known not to be answered. */
export function lostOf({ timeout, closed, unanswered }: RequestCounts): number {
  return timeout + closed + unanswered;
}
