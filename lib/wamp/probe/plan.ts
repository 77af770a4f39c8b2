import type { ClientUrl } from "../transport/client_url.ts";

/** What one process of a probe does; plain data. */
export interface ProbePlan {
  readonly urls: readonly ClientUrl[];
  readonly realm: string;
  readonly serializer: "json" | "msgpack" | "cbor";
  readonly isBatched: boolean;
  /** This process among all of them. */
  readonly client: number;
  readonly clients: number;
  /** To each URL. */
  readonly connections: number;
  /** Publishers of each session. */
  readonly loops: number;
  /** Iterations of each publisher per second. */
  readonly ratePerSecond: number;
  /** Publications in an iteration. */
  readonly stride: number;
  readonly payloadBytes: number;
  readonly procedures: readonly string[];
  readonly durationMs: number;
  readonly timeoutMs: number;
  readonly isOpenLoop: boolean;
  readonly logname: string;
  /** Random; in each payload, so that events of other runs are not taken for those of this one. */
  readonly runTag: number;
}

export const topic = "com.example.test1.binary";

/** The procedure of a node's backend, as in Crossbar's example; nodes count from 1. */
export function procedureOf(node: number): string {
  return `node${node}.container1.proc1`;
}

/** Sessions of one process. */
export function sessionsOf({ connections, urls }: Pick<ProbePlan, "connections" | "urls">): number {
  return connections * urls.length;
}

/** Publishers of one process. */
export function publishersOf(plan: ProbePlan): number {
  return sessionsOf(plan) * plan.loops;
}

/**
 * The name that a publisher has in its events: `client0.3.17.0` is loop 0 of session 17 of process 3
 * of the probe `client0`.
 */
export function publisherName(plan: ProbePlan, client: number, publisher: number): string {
  const session = Math.floor(publisher / plan.loops);
  return `${plan.logname}.${client}.${session}.${publisher % plan.loops}`;
}
