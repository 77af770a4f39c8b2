import type { Backoff } from "./backoff.ts";
import type { PaceStep } from "./connect_pace.ts";
import type { Share } from "./share.ts";

/** Whether and how connections are opened again. */
export interface ReopenSettings {
  /** Connections that end or fail to open are opened again after these waits. */
  readonly backoff?: Backoff;
  /** Connections may be recycled. */
  readonly recycles?: boolean;
  /** Opening a connection reaches nobody: one that was down is back only when it is `prove`d. */
  readonly needsProof?: boolean;
}

export interface PoolSettings extends ReopenSettings {
  readonly connections: number;
  /** Of the whole load. */
  readonly connectsPerSecond: number;
  readonly connectTimeoutNs: number;
  /** Which part of the load the connections are; all where it is left out. */
  readonly share?: Share;
  readonly step?: PaceStep;
}

/** The part of a transport's dialer that the pool needs. */
export interface ConnectingSide {
  connect(id: number): void;
  terminate(id: number): void;
}

export interface PoolEvents {
  /**
   * A connection was lost, or failed to open, and is going to be opened again; it was not down before.
   *
   * @param sinceNs when it was last known to be of use.
   */
  down(id: number, atNs: number, sinceNs: number): void;
  /** A connection that was down works again. */
  back(id: number, atNs: number): void;
  /** An attempt to bring a connection back has failed. */
  attemptFailed(): void;
  /** A connection is open, for the first time or again. */
  entered(id: number): void;
  /** A connection is open no more. */
  left(id: number): void;
}

/** For who wants to know nothing. */
export const noEvents: PoolEvents = {
  down() {},
  back() {},
  attemptFailed() {},
  entered() {},
  left() {},
};
