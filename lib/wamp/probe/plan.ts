import type { RouterAccess } from "../session/router_access.ts";

/** What one process of a probe does; plain data. */
export interface ProbePlan extends RouterAccess {
  readonly serializer: "json" | "msgpack" | "cbor";
  readonly isBatched: boolean;
  /** This process among all of them. */
  readonly client: number;
  readonly clients: number;
  /** To each URL. */
  readonly connections: number;
  /** How many sessions publish, of all processes together: dealt out to them in turn. */
  readonly publishingSessions: number;
  /** Publishers of each session that publishes. */
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

/** Sessions of one process that publish: its first ones. */
export function publishingSessionsOf(
  { publishingSessions, clients, client: own }: ProbePlan,
  client = own,
): number {
  return Math.floor((publishingSessions + clients - 1 - client) / clients);
}

/** Publishers of one process. */
export function publishersOf(plan: ProbePlan, client = plan.client): number {
  return publishingSessionsOf(plan, client) * plan.loops;
}

/** Publishers of all processes. */
export function allPublishersOf({ publishingSessions, loops }: ProbePlan): number {
  return publishingSessions * loops;
}

/**
 * The share of the time between two iterations after which a publisher of this process begins, so that
 * all publishers are spread evenly over it.
 */
export function phaseOf(plan: ProbePlan, publisher: number): number {
  const { client, clients, loops, publishingSessions } = plan;
  const session = Math.floor(publisher / loops) * clients + client;
  return ((publisher % loops) * publishingSessions + session) / allPublishersOf(plan);
}

/**
 * The name that a publisher has in its events: `client0.3.17.0` is loop 0 of session 17 of process 3
 * of the probe `client0`.
 */
export function publisherName(plan: ProbePlan, client: number, publisher: number): string {
  const session = Math.floor(publisher / plan.loops);
  return `${plan.logname}.${client}.${session}.${publisher % plan.loops}`;
}
