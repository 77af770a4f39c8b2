import type { BackoffSettings } from "./backoff.ts";
import type { Schedule } from "./schedule.ts";
import type { Share } from "./share.ts";

/** Messages are due by plan. */
export type OpenLoad =
  /** Over all connections: a connection is chosen for each message. */
  | { readonly kind: "poisson" | "uniform"; readonly schedule: Schedule }
  /**
   * On each connection: every connection sends every `intervalMs`, evenly phased; also while their
   * number grows, where that is what is measured.
   */
  | { readonly kind: "interval"; readonly intervalMs: number; readonly isGrowing?: boolean };

/** Connections are opened until something breaks, and what is sent meanwhile is measured. */
export interface RampPlan {
  /** Opened in steps of so many, with a pause after each; left out: without a pause. */
  readonly step?: { readonly connections: number; readonly holdMs: number };
  /** Ages of unanswered messages from which on the snapshot counts them. */
  readonly overdueAfterMs: readonly number[];
}

/** When messages are due. */
export type Load =
  | OpenLoad
  /** Closed loop: `outstanding` messages on each connection, a new one for each that ends. */
  | { readonly kind: "inflight"; readonly outstanding: number }
  /** Connections are opened and held. */
  | { readonly kind: "none" };

/** What becomes of connections in the course of a run. */
export interface Upkeep {
  /** Connections that are lost, or fail to open, are opened again after these waits. */
  readonly reconnect?: BackoffSettings;
  /** So many connections per second are closed and opened again. */
  readonly recyclePerSecond?: number;
  /** Each connection asks its server for its id, and counts as open with the answer. */
  readonly identify?: boolean;
}

export interface LoadSettings extends Upkeep {
  /** Those of this generator. */
  readonly connections: number;
  /** Of the whole load, as are all rates. */
  readonly connectsPerSecond: number;
  readonly connectTimeoutMs: number;
  readonly load: Load;
  /** Seed of the Poisson gaps and of the choice of connections. */
  readonly seed: number;
  readonly warmupMs: number;
  /** Length of the steady phase. */
  readonly durationMs: number;
  /** How long an answer may take, from the intended time of its message. */
  readonly replyTimeoutMs: number;
  /** How long to wait for the last answers. */
  readonly drainMs: number;
  /** Compare answers byte by byte. */
  readonly verify: boolean;
  /** Which part of a load that several generators carry out; all where it is left out. */
  readonly share?: Share;
  /** Measure from the start on, while connections still open, and not only when all are open. */
  readonly measuresRamp?: boolean;
  /** The measured phase begins with the first connection, and lasts on after the last one. */
  readonly ramp?: RampPlan;
}
