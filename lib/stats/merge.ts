import { addHistograms, emptyHistograms } from "./client_histograms.ts";
import { FailureTally } from "./failure_tally.ts";
import { addSpreads, mergeOutages } from "./outage.ts";
import type {
  ClientHistograms,
  ClientSnapshot,
  ConnectionCounts,
  FailureCount,
  Phase,
  ProcessUsage,
  ServerCounts,
  ServerSnapshot,
  WorkerState,
} from "./snapshot.ts";

const phases: readonly Phase[] = ["ramp", "warmup", "steady", "drain", "done"];

/**
 * One snapshot of several clients that ran at the same time against the same endpoint. Counts and
 * histograms are added, rates are computed again from the sums, the phase is that of the client
 * which is furthest behind. Identity and settings are those of the first; there is no verdict yet.
 *
 * @throws {RangeError} the list is empty.
 */
export function mergeClientSnapshots(list: readonly ClientSnapshot[]): ClientSnapshot {
  const first = firstOf(list);
  const steady = sumOf(list.map((each) => each.steady));
  const steadyMs = Math.max(...list.map((each) => each.steadyMs));
  // Each ramp broke where it did: what they broke at together, none of them knows.
  const { ramp: _, ...common } = first;
  return {
    ...common,
    phase: phases[Math.min(...list.map((each) => phases.indexOf(each.phase)))]!,
    elapsedMs: Math.max(...list.map((each) => each.elapsedMs)),
    steadyMs,
    steadyPlannedMs: Math.max(...list.map((each) => each.steadyPlannedMs)),
    interrupted: list.some((each) => each.interrupted),
    connections: mergeConnections(list.map((each) => each.connections)),
    messages: sumOf(list.map((each) => each.messages)),
    steady,
    anomalies: sumOf(list.map((each) => each.anomalies)),
    requestedRate: list.reduce((total, each) => total + each.requestedRate, 0),
    achievedRate: steadyMs > 0 ? steady.sent / (steadyMs / 1000) : 0,
    bytes: sumOf(list.map((each) => each.bytes)),
    answerStatuses: sumByName(list.map((each) => each.answerStatuses)),
    histograms: mergeHistograms(list.map((each) => each.histograms)),
    generator: {
      ...sumOf(list.map((each) => each.generator)),
      // Of several waits at the same time there is no sum.
      steadyCpuWaitShare: list.map((each) => each.generator.steadyCpuWaitShare)
        .reduce((longest, share) => share > longest || Number.isNaN(longest) ? share : longest),
    },
    ...present("outages", list.flatMap((each) => each.outages ?? []), mergeOutages),
    ...present(
      "servers",
      list.flatMap(({ servers }) => servers === undefined ? [] : [servers]),
      addSpreads,
    ),
    ...mergeWorkers(list),
    verdict: undefined,
    ...mergeOverdue(list),
  };
}

/** Bounds are those of the run: the same everywhere. */
function mergeOverdue(list: readonly ClientSnapshot[]): Pick<ClientSnapshot, "overdue"> {
  const [first] = list;
  if (first?.overdue === undefined) return {};
  return {
    overdue: first.overdue.map(({ afterMs }, index) => ({
      afterMs,
      count: list.reduce((total, each) => total + (each.overdue?.[index]?.count ?? 0), 0),
    })),
  };
}

function mergeWorkers(
  list: readonly { readonly workers?: WorkerState[] }[],
): { workers?: WorkerState[] } {
  const workers = list.flatMap((each) => each.workers ?? []);
  return workers.length === 0 ? {} : { workers };
}

/**
 * One snapshot of several servers; endpoints of the same name become one.
 *
 * @throws {RangeError} the list is empty.
 */
export function mergeServerSnapshots(list: readonly ServerSnapshot[]): ServerSnapshot {
  const first = firstOf(list);
  const byEndpoint = new Map<string, ServerCounts[]>();
  for (const { endpoint, counts } of list.flatMap((each) => each.endpoints)) {
    byEndpoint.set(endpoint, [...byEndpoint.get(endpoint) ?? [], counts]);
  }
  return {
    ...first,
    elapsedMs: Math.max(...list.map((each) => each.elapsedMs)),
    endpoints: [...byEndpoint].map(([endpoint, counts]) => ({
      endpoint,
      counts: mergeServerCounts(counts),
    })),
    total: mergeServerCounts(list.map((each) => each.total)),
    process: sumUsage(list.map((each) => each.process)),
    ...mergeWorkers(list),
  };
}

/** What several processes use together. */
export function sumUsage(list: readonly ProcessUsage[]): ProcessUsage {
  return sumOf(list);
}

/** The sum of the counts of several endpoints. */
export function mergeServerCounts(list: readonly ServerCounts[]): ServerCounts {
  const sum = (key: keyof NumbersOf<ServerCounts>) =>
    list.reduce((total, counts) => total + counts[key], 0);
  return {
    open: sum("open"),
    accepted: sum("accepted"),
    closed: sum("closed"),
    failed: sum("failed"),
    refused: sumByName(list.map((counts) => counts.refused)),
    messages: sum("messages"),
    bytesReceived: sum("bytesReceived"),
    bytesSent: sum("bytesSent"),
    dropped: sum("dropped"),
    failures: mergeFailures(list.map((counts) => counts.failures)),
  };
}

type NumbersOf<T> = { [Key in keyof T as T[Key] extends number ? Key : never]: T[Key] };

function mergeConnections(list: readonly ConnectionCounts[]): ConnectionCounts {
  const sum = (key: keyof NumbersOf<ConnectionCounts>) =>
    list.reduce((total, counts) => total + counts[key], 0);
  // They opened side by side: the time it took is that of the slowest.
  const openingMs = Math.max(0, ...list.map(openingMsOf));
  const add = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  return {
    requested: sum("requested"),
    attempted: sum("attempted"),
    opened: sum("opened"),
    open: sum("open"),
    failed: sum("failed"),
    lost: sum("lost"),
    ...present("lostUnused", list.flatMap((counts) => counts.lostUnused ?? []), add),
    ...present(
      "lostUnusedMessages",
      list.flatMap((counts) => counts.lostUnusedMessages ?? []),
      add,
    ),
    ...present("reopened", list.flatMap((counts) => counts.reopened ?? []), add),
    ...present("recycled", list.flatMap((counts) => counts.recycled ?? []), add),
    failures: mergeFailures(list.map((counts) => counts.failures)),
    requestedPerSecond: sum("requestedPerSecond"),
    achievedPerSecond: openingMs > 0 ? add(list.map(openedOnce)) / (openingMs / 1000) : 0,
    openingMs,
  };
}

function openingMsOf(counts: ConnectionCounts): number {
  const { openingMs, achievedPerSecond } = counts;
  if (openingMs !== undefined) return openingMs;
  return achievedPerSecond > 0 ? openedOnce(counts) / achievedPerSecond * 1000 : 0;
}

/** Those that have been open at some time, each counted once. */
function openedOnce({ opened, reopened = 0 }: ConnectionCounts): number {
  return opened - reopened;
}

/** A field with the sum of what several snapshots have in it; without any it stays away. */
function present<Name extends string, From, To>(
  name: Name,
  list: readonly From[],
  merge: (list: readonly From[]) => To,
): { [Key in Name]?: To } {
  return (list.length === 0 ? {} : { [name]: merge(list) }) as { [Key in Name]?: To };
}

function mergeFailures(list: readonly (readonly FailureCount[])[]): FailureCount[] {
  const tally = new FailureTally();
  for (const counts of list) tally.add(counts);
  return tally.counts();
}

function mergeHistograms(list: readonly ClientHistograms[]): ClientHistograms {
  const sums = emptyHistograms();
  for (const histograms of list) addHistograms(sums, histograms);
  return sums;
}

interface Sums {
  readonly [key: string]: number | Sums;
}

/** Adds objects of the same shape, which hold nothing but numbers and further such objects. */
function sumOf<T extends object>(list: readonly T[]): T {
  const add = (left: Sums, right: Sums): Sums =>
    Object.fromEntries(
      Object.entries(left).map(([key, value]) => {
        const other = right[key]!;
        if (typeof value === "number") return [key, value + (other as number)];
        return [key, add(value, other as Sums)];
      }),
    );
  return (list as readonly unknown[] as readonly Sums[]).reduce(add) as unknown as T;
}

function sumByName(list: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const counts of list) {
    for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}

function firstOf<T>(list: readonly T[]): T {
  const first = list[0];
  if (first === undefined) throw new RangeError("there is no snapshot to merge");
  return first;
}
