import type { Histogram } from "./histogram.ts";

/** Messages that wait, unanswered, for longer than a bound. */
export interface OverdueCount {
  readonly afterMs: number;
  count: number;
}

/** What happened in one second of a ramp. */
export interface RampSecond {
  /** Milliseconds after the start of the run. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** Connections open at its start and at its end. */
  readonly openBefore: number;
  readonly open: number;
  /** Attempted since the start of the run. */
  readonly attempted: number;
  /** Without those that were turned away. */
  readonly opened: number;
  /** Attempts that came to nothing, and connections that ended before anything was answered. */
  readonly failed: number;
  /** Connections in use that ended unasked. */
  readonly closed: number;
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  /** Of the answers that came in it; valid during the call only. */
  readonly response: Histogram;
  readonly connect: Histogram;
  /** At its end. */
  readonly overdue: readonly OverdueCount[];
}

/** A line of a ramp's table: one step of it, or a span of time. */
export interface RampRow {
  fromMs: number;
  untilMs: number;
  /** Open at its end. */
  connections: number;
  failed: number;
  closed: number;
  sent: number;
  answered: number;
  lost: number;
  /** Response times of the answers that came meanwhile, in ns; NaN where none came. */
  meanNs: number;
  minNs: number;
  maxNs: number;
  p99Ns: number;
}

/** A bound that was exceeded. */
export interface BrokenBound {
  readonly condition: string;
  /** In the first second in which it was. */
  readonly measured: string;
}

/** Where a ramp broke. */
export interface Knee {
  /** Start of the first second in which something was wrong, after the start of the run. */
  readonly atMs: number;
  /** Open at the start of that second; where new ones failed, the most that were open in it. */
  readonly connections: number;
  readonly broken: readonly BrokenBound[];
  /** Whether new connections could not be opened, open ones failed, or both. */
  readonly affected: "new" | "existing" | "both";
}

export const limitSides = ["client", "server", "path", "peer-or-path"] as const;

/** Where a limit is: this host, the server, the network between; or one of the last two. */
export type LimitSide = (typeof limitSides)[number];

/** What ended a ramp. */
export interface RampLimit {
  readonly side: LimitSide;
  /** A word or two, such as `file descriptors`. */
  readonly name: string;
  /** One sentence. */
  readonly statement: string;
  /** What was seen, the most telling first. */
  readonly evidence: readonly string[];
}

/** A run that opens connections until something breaks. */
export interface RampReport {
  /** The bounds, as `--break-when` writes them. */
  readonly conditions: readonly string[];
  readonly rows: readonly RampRow[];
  /** Undefined as long as nothing broke. */
  readonly knee: Knee | undefined;
  /** Set at the end of a run that came to one. */
  readonly limit: RampLimit | undefined;
}
