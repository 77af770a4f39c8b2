import { UsageError } from "../errors.ts";
import { formatCount } from "./figures.ts";
import { formatQuantity, type Limit, parseLimit, type Quantity } from "./expectation_value.ts";
import type { Histogram } from "./histogram.ts";
import type { OverdueCount, RampSecond } from "./ramp.ts";

const operators = {
  ">=": (value: number, limit: number) => value >= limit,
  ">": (value: number, limit: number) => value > limit,
};

/** A figure of one second of a ramp. */
interface SecondMetric {
  readonly quantity: Quantity;
  /** Whether it tells of new connections or of open ones. */
  readonly concerns: "new" | "existing";
  /** NaN where the second has no data for it. */
  value(second: RampSecond, limit: Limit): number;
  /** What a percentage is a percentage of. */
  whole?(second: RampSecond): number;
}

/** A bound on a second; where it is exceeded for some seconds running, a ramp has broken. */
export interface BreakCondition {
  /** As it was written. */
  readonly text: string;
  readonly metric: string;
  readonly concerns: "new" | "existing";
  readonly limit: Limit;
  /** What was measured where the bound is exceeded; `undefined`: it is kept; `"none"`: no data. */
  check(second: RampSecond): { readonly measured: string } | "none" | undefined;
}

/** What breaks a ramp unless the user says otherwise. */
export const defaultBreakConditions: readonly string[] = [
  "connections.failed>1%",
  "connections.lost>0.1%",
  "lost>0.1%",
  "response.p99>1s",
];

const counts: Readonly<Record<string, SecondMetric>> = {
  "connections.failed": {
    quantity: "count",
    concerns: "new",
    value: ({ opened, failed }) => opened + failed > 0 ? failed : NaN,
    whole: ({ opened, failed }) => opened + failed,
  },
  "connections.lost": {
    quantity: "count",
    concerns: "existing",
    value: ({ openBefore, opened, closed }) => openBefore + opened > 0 ? closed : NaN,
    whole: ({ openBefore, opened }) => openBefore + opened,
  },
  lost: {
    quantity: "count",
    concerns: "existing",
    value: ({ answered, lost }) => answered + lost > 0 ? lost : NaN,
    whole: ({ answered, lost }) => answered + lost,
  },
};

/**
 * Reads a condition that breaks a ramp: a metric of one second, `>` or `>=`, a bound with its unit,
 * as in `response.p99>500ms`, `connect.p99>2s`, `lost>1%` (of the messages that ended in the
 * second), `connections.failed>1%` (of the attempts that did), `connections.lost>0.1%` (of the open
 * ones).
 *
 * Response times count the messages that wait for an answer for longer than the bound already: a
 * server that answers nothing has no percentile otherwise.
 *
 * @throws {UsageError} it has another form, the metric is unknown, or the bound has no fitting unit.
 */
export function parseBreakCondition(text: string): BreakCondition {
  const match = /^\s*([^<>=\s]+)\s*(>=|>)\s*([^<>=]+?)\s*$/.exec(text);
  if (match === null) {
    throw new UsageError(
      `condition ${JSON.stringify(text)} is not of the form metric, operator (> or >=), bound; ` +
        `write for instance response.p99>500ms or lost>1%`,
    );
  }
  const [, name = "", operator = "", limitText = ""] = match;
  const metric = Object.hasOwn(counts, name) ? counts[name] : timeMetric(name);
  if (metric === undefined) {
    throw new UsageError(
      `condition ${JSON.stringify(text)} names the unknown metric ${JSON.stringify(name)}; there ` +
        `are: ${Object.keys(counts).join(", ")}, response.<mean|p50|p99|…|max>, ` +
        `connect.<mean|p50|p99|…|max>`,
    );
  }
  const limit = parseLimit(
    limitText,
    metric.quantity,
    metric.whole !== undefined,
    text,
    "condition",
  );
  const isBroken = operators[operator as keyof typeof operators];
  return {
    text,
    metric: name,
    concerns: metric.concerns,
    limit,
    check(second) {
      const value = metric.value(second, limit);
      const isShare = limit.quantity === "share";
      const whole = metric.whole?.(second) ?? NaN;
      const compared = isShare ? value / whole : value;
      if (!Number.isFinite(compared)) return "none";
      if (!isBroken(compared, limit.value)) return undefined;
      const figure = formatQuantity(value, metric.quantity);
      if (isShare) return { measured: `${formatQuantity(compared, "share")} (${figure})` };
      const waiting = name.startsWith("response.") ? waitingLonger(second.overdue, limit.value) : 0;
      return {
        measured: waiting > 0 ? `${figure}, ${formatCount(waiting)} still waiting` : figure,
      };
    },
  };
}

/**
 * The conditions of a run: those given, and the default ones about other metrics.
 *
 * @throws {UsageError} one of those given cannot be read.
 */
export function breakConditions(given: readonly string[]): BreakCondition[] {
  const own = given.map(parseBreakCondition);
  const others = defaultBreakConditions.map(parseBreakCondition)
    .filter(({ metric }) => !own.some((each) => each.metric === metric));
  return [...own, ...others];
}

/** The ages of unanswered messages that the conditions ask about. */
export function overdueBoundsMs(conditions: readonly BreakCondition[]): number[] {
  const bounds = conditions.filter(({ metric }) => metric.startsWith("response."))
    .map(({ limit }) => limit.value / 1e6);
  return [...new Set(bounds)].sort((a, b) => a - b);
}

function timeMetric(name: string): SecondMetric | undefined {
  const [, family, statistic = ""] = /^(response|connect)\.(\S+)$/.exec(name) ?? [];
  const percentile = statistic === "max"
    ? 100
    : Number(/^p(\d{1,3}(?:\.\d+)?)$/.exec(statistic)?.[1]);
  const isMean = statistic === "mean";
  if (family === undefined || !(isMean || (percentile > 0 && percentile <= 100))) return undefined;
  if (family === "connect") {
    return {
      quantity: "duration",
      concerns: "new",
      value: ({ connect }) => isMean ? connect.meanNs : connect.percentileNs(percentile),
    };
  }
  return {
    quantity: "duration",
    concerns: "existing",
    value: ({ response, overdue }, { value: limitNs }) =>
      isMean ? response.meanNs : percentileWith(response, percentile, limitNs, overdue),
  };
}

function waitingLonger(overdue: readonly OverdueCount[], limitNs: number): number {
  const limitMs = limitNs / 1e6;
  return overdue.find(({ afterMs }) => Math.abs(afterMs - limitMs) < 1e-6)?.count ?? 0;
}

/** The percentile, where the messages count too that wait for longer than the limit. */
function percentileWith(
  response: Histogram,
  percentile: number,
  limitNs: number,
  overdue: readonly OverdueCount[],
): number {
  const waiting = waitingLonger(overdue, limitNs);
  if (waiting === 0) return response.percentileNs(percentile);
  // Those that wait are the slowest of all, and nothing but a lower bound is known of them.
  const rank = Math.ceil((percentile / 100) * (response.count + waiting));
  if (rank > response.count) return Math.max(limitNs + 1, response.count > 0 ? response.maxNs : 0);
  return response.percentileNs(rank / response.count * 100);
}
