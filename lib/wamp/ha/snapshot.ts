import type { ServerSpread } from "../../stats/outage.ts";
import type { ProbeSnapshot } from "../probe/snapshot.ts";

/** What a step of a scenario did to the sessions: until the next step, or the end. */
export interface StepReport {
  /** As in the scenario: `kill node2`. */
  readonly text: string;
  /** Milliseconds after the beginning of the measured phase. */
  readonly atMs: number;
  /** From the step to the first session that was told; NaN where none was. */
  detectedMs: number;
  /** From the step to when the balancer took the first of the nodes for down; NaN: it did not. */
  markedDownMs: number;
  /** Sessions that were lost, and those of them that are back. */
  lost: number;
  back: number;
  /** From the loss of a session to its return, in milliseconds; NaN where there was none. */
  reconnectP50Ms: number;
  reconnectP95Ms: number;
  reconnectMaxMs: number;
  /** From the step to the return of the last of them. */
  allBackMs: number;
  /** Open sessions by node when the step was made, and when the next one is. */
  before: ServerSpread;
  after: ServerSpread;
  /** Closed for the sake of the spread. */
  recycled: number;
  /** Events of acknowledged publications that a connected subscriber has not got. */
  eventsLost: number;
  eventsDuplicated: number;
  publicationsFailed: number;
  callsFailed: number;
}

/** A second of the run. */
export interface AxisSecond {
  /** Milliseconds after the beginning of the measured phase, at its end. */
  readonly atMs: number;
  readonly open: number;
  readonly spread: ServerSpread;
  readonly events: number;
  readonly acknowledged: number;
  readonly callsFailed: number;
  readonly publicationsFailed: number;
  readonly deliveryP99Ns: number;
  /** Steps that were made in it. */
  readonly steps: readonly string[];
}

/** A router, the balancer or the backend, which has ended by itself. */
export interface ProgramEnd {
  readonly name: string;
  /** Milliseconds after the beginning of the measured phase; 0 before it. */
  readonly atMs: number;
  /** The last line that it wrote. */
  readonly lastLine: string;
}

/** Everything about a test of high availability. */
export interface HaSnapshot {
  readonly role: "wamp-ha";
  readonly scenario: string;
  readonly nodes: number;
  readonly balancer: string;
  readonly configFile: string | undefined;
  readonly steps: readonly StepReport[];
  readonly axis: readonly AxisSecond[];
  readonly ends: readonly ProgramEnd[];
  readonly probe: ProbeSnapshot;
}

/** How far apart the fullest and the emptiest node are; NaN without nodes. */
export function spreadDifference(spread: Readonly<ServerSpread>): number {
  const counts = Object.values(spread);
  return counts.length === 0 ? NaN : Math.max(...counts) - Math.min(...counts);
}
