import type { Bound, Capacity, CapacityQuestion } from "../host/capacity.ts";
import type { HostReadings } from "../host/host_readings.ts";
import type { Remedy } from "./remedy.ts";

/** Whether a limit is wide enough; `first`: nothing was asked for, and this one comes first. */
export type LimitVerdict = "pass" | "short" | "first" | "unknown";

/** One limit of the table. */
export interface LimitRow {
  readonly name: string;
  /** As it is now, for people. */
  readonly value: string;
  /** How many connections it allows; undefined: it bounds something else, or is not known. */
  readonly connections: number | undefined;
  /** What the number means, or what the limit affects where there is none. */
  readonly note: string;
  readonly verdict: LimitVerdict;
  /** What mends it; none where nothing has to be mended. */
  readonly remedies: readonly Remedy[];
}

/** What rows are made from. */
export interface Findings {
  readonly readings: HostReadings;
  readonly question: CapacityQuestion;
  readonly capacity: Capacity;
  /** `--connections`. */
  readonly asked: number | undefined;
  /**
   * How many connections the remedies have to make room for: those asked for, or what the second
   * limit allows.
   */
  readonly wanted: number;
}

/** The most that remedies are made out for where nobody said how many. */
const mostUnasked = 1_000_000;

export function findings(
  readings: HostReadings,
  question: CapacityQuestion,
  capacity: Capacity,
  asked: number | undefined,
): Findings {
  const others = capacity.bounds.filter((bound) => bound !== capacity.first)
    .map(({ connections }) => connections);
  const wanted = asked ?? Math.min(mostUnasked, ...others);
  return { readings, question, capacity, asked, wanted };
}

/** What one bound says, before its row is made. */
export function verdictOn(
  bound: Bound,
  { capacity, asked, wanted }: Findings,
): { readonly verdict: LimitVerdict; readonly needsMore: boolean } {
  if (asked !== undefined) {
    const isShort = bound.connections < asked;
    return { verdict: isShort ? "short" : "pass", needsMore: isShort };
  }
  const isFirst = bound.name === capacity.first?.name;
  return { verdict: isFirst ? "first" : "pass", needsMore: isFirst && bound.connections < wanted };
}
