import { FileError, messageOf } from "../errors.ts";
import { positiveDuration } from "../options/duration.ts";
import type { Expectation } from "../stats/expectations.ts";
import { formatElapsed } from "../stats/figures.ts";
import { mergeClientSnapshots, mergeServerSnapshots } from "../stats/merge.ts";
import type {
  ClientSnapshot,
  RunIdentity,
  ServerSnapshot,
  Verdict,
  VerdictKind,
} from "../stats/snapshot.ts";
import { judge, judgeExpectations } from "../stats/verdict.ts";

/** What it takes to say which host something is about. */
export interface Part<T> {
  readonly snapshot: T;
  /** Unique among the parts: the host, with the process id where several are of one host. */
  readonly name: string;
}

/** The parts by name. */
export function nameParts<T extends { readonly run: RunIdentity }>(
  snapshots: readonly T[],
): Part<T>[] {
  return snapshots.map((snapshot) => {
    const { host, pid } = snapshot.run;
    const isShared = snapshots.filter(({ run }) => run.host === host).length > 1;
    return { snapshot, name: isShared ? `${host}/${pid}` : host };
  });
}

/**
 * One result of several clients, and what it proves. That of one client is its own, with further
 * expectations.
 */
export function combineClients(
  parts: readonly Part<ClientSnapshot>[],
  expectations: readonly Expectation[],
): ClientSnapshot {
  const snapshots = parts.map(({ snapshot }) => snapshot);
  const [only, ...others] = snapshots;
  if (only !== undefined && others.length === 0) {
    return { ...only, verdict: worseOf(verdictOf(only), judgeExpectations(only, expectations)) };
  }
  const merged: ClientSnapshot = {
    ...mergeClientSnapshots(snapshots),
    run: combineRuns(snapshots.map(({ run }) => run)),
  };
  // A ramp goes on until something breaks: the failures at its end are no faults.
  const isRamp = snapshots.some(({ ramp }) => ramp !== undefined);
  const own = isRamp
    ? judgeExpectations(merged, expectations)
    : judge(merged, { expectations, maxLatenessP99Ns: Infinity });
  return { ...merged, verdict: withParts(own, parts) };
}

/** One result of several servers. */
export function combineServers(parts: readonly Part<ServerSnapshot>[]): ServerSnapshot {
  const snapshots = parts.map(({ snapshot }) => snapshot);
  return {
    ...mergeServerSnapshots(snapshots),
    run: combineRuns(snapshots.map(({ run }) => run)),
  };
}

/** The hosts by name, the earliest start, and of labels and settings those that all have. */
function combineRuns(runs: readonly RunIdentity[]): RunIdentity {
  const [first, ...others] = runs;
  return {
    ...first!,
    host: [...new Set(runs.map(({ host }) => host))].join(", "),
    startedAt: runs.map(({ startedAt }) => startedAt).sort()[0]!,
    labels: common(first!.labels, others.map(({ labels }) => labels)),
    settings: common(first!.settings, others.map(({ settings }) => settings)),
  };
}

type Texts = Readonly<Record<string, string>>;

function common(first: Texts, others: readonly Texts[]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(first).filter(([key, value]) => others.every((other) => other[key] === value)),
  );
}

/** From the worst on: what one part is, the whole is, unless it is worse by itself. */
const kindsFromWorst: readonly VerdictKind[] = [
  "invalid",
  "stopped-by-limit",
  "expectation-failed",
  "ok",
];

/**
 * What the whole proves: what its figures prove, and no more than its parts do. The reasons of a
 * part that is not in order begin with its name.
 */
function withParts(own: Verdict, parts: readonly Part<ClientSnapshot>[]): Verdict {
  const verdicts = parts.map((part) => ({ ...part, verdict: verdictOf(part.snapshot) }));
  const apart = notTogether(parts);
  const kinds: VerdictKind[] = [
    own.kind,
    ...verdicts.map(({ verdict }) => verdict.kind),
    ...(apart.length > 0 ? ["invalid" as const] : []),
  ];
  return {
    kind: kindsFromWorst.find((kind) => kinds.includes(kind)) ?? "ok",
    reasons: [
      ...apart,
      ...verdicts.flatMap(({ name, verdict, snapshot }) => [
        ...(snapshot.interrupted
          ? [`${name}: interrupted after ${formatElapsed(snapshot.elapsedMs)}.`]
          : []),
        ...(verdict.kind === "ok" ? [] : verdict.reasons.map((reason) => `${name}: ${reason}`)),
      ]),
      ...own.reasons,
    ],
    expectations: own.expectations,
  };
}

/** The worse kind, and what both say. */
function worseOf(first: Verdict, second: Verdict): Verdict {
  const kinds = [first.kind, second.kind];
  return {
    kind: kindsFromWorst.find((kind) => kinds.includes(kind)) ?? "ok",
    reasons: [...first.reasons, ...second.reasons],
    expectations: [...first.expectations, ...second.expectations],
  };
}

/** The verdict of a part; a snapshot of a run that was going on has none yet. */
function verdictOf(snapshot: ClientSnapshot): Verdict {
  return snapshot.verdict ??
    judge(snapshot, { expectations: [], maxLatenessP99Ns: maxLatenessNs(snapshot) });
}

/** What `--max-schedule-error` of the run was. */
function maxLatenessNs({ run }: ClientSnapshot): number {
  const text = run.settings["max-schedule-error"];
  if (text === undefined) return Infinity;
  try {
    return positiveDuration.parse(text) * 1e6;
  } catch (error) {
    const what = `the result of ${run.host} says --max-schedule-error`;
    throw new FileError(`${what} ${messageOf(error)}`, { cause: error });
  }
}

/** Rates and counts of runs that were not going on together do not add up to anything. */
function notTogether(parts: readonly Part<ClientSnapshot>[]): string[] {
  const spans = parts.map(({ name, snapshot }) => {
    const startMs = Date.parse(snapshot.run.startedAt);
    return { name, startMs, endMs: startMs + snapshot.elapsedMs };
  });
  const last = spans.reduce((latest, span) => span.startMs > latest.startMs ? span : latest);
  const over = spans.reduce((earliest, span) => span.endMs < earliest.endMs ? span : earliest);
  if (!(over.endMs < last.startMs)) return [];
  return [
    `The runs were not at the same time: ${over.name} was over ` +
    `${
      formatElapsed(last.startMs - over.endMs)
    } before ${last.name} began (by their clocks). Start ` +
    `them together with --start-at.`,
  ];
}
