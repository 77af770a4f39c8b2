import { UsageError } from "../errors.ts";
import { formatQuantity, type Limit, parseLimit } from "./expectation_value.ts";
import type { Metric, MetricCatalogue } from "./metric_catalogue.ts";
import { clientMetrics } from "./metrics.ts";
import type { ClientSnapshot, ExpectationResult } from "./snapshot.ts";

const operators = {
  "<=": (value: number, limit: number) => value <= limit,
  ">=": (value: number, limit: number) => value >= limit,
  "==": (value: number, limit: number) => value === limit,
  "<": (value: number, limit: number) => value < limit,
  ">": (value: number, limit: number) => value > limit,
};

type Operator = keyof typeof operators;

/** A condition on a figure of the run: `response.p99<10ms`. */
export interface Expectation<Run = ClientSnapshot> {
  /** As it was written. */
  readonly text: string;
  readonly metric: Metric<Run>;
  readonly operator: Operator;
  readonly limit: Limit;
}

/**
 * Reads an expectation of a client's run.
 *
 * Messages, bytes and times are those of the steady phase; anomalies, connections and connect times
 * those of the whole run.
 *
 * @throws {UsageError} see `parseExpectationOf`.
 */
export function parseExpectation(text: string): Expectation {
  return parseExpectationOf(clientMetrics, text);
}

/**
 * Reads an expectation: metric, operator (`<`, `<=`, `>`, `>=`, `==`), limit with its unit. Counts
 * take a percentage too, of what they are a part of (`lost<0.1%` of what was sent).
 *
 * @throws {UsageError} it has another form, the metric is unknown, or the limit has no fitting unit.
 */
export function parseExpectationOf<Run>(
  metrics: MetricCatalogue<Run>,
  text: string,
): Expectation<Run> {
  const match = /^\s*([^<>=\s]+)\s*(<=|>=|==|<|>)\s*([^<>=]+?)\s*$/.exec(text);
  if (match === null) {
    throw new UsageError(
      `expectation ${JSON.stringify(text)} is not of the form metric, operator (< <= > >= ==), ` +
        `limit; write for instance response.p99<10ms or lost<0.1%`,
    );
  }
  const [, name = "", operator = "", limitText = ""] = match;
  const metric = metrics.find(name);
  if (metric === undefined) throw unknownMetric(metrics, name, text);
  return {
    text,
    metric,
    operator: operator as Operator,
    limit: parseLimit(limitText, metric.quantity, metric.whole !== undefined, text),
  };
}

function unknownMetric<Run>(
  metrics: MetricCatalogue<Run>,
  name: string,
  text: string,
): UsageError {
  const near = metrics.similarNames()
    .map((known) => ({ known, distance: editDistance(name, known) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const suggestion = near !== undefined && near.distance <= Math.max(2, name.length / 3)
    ? `; did you mean ${near.known}? There are: `
    : "; there are: ";
  return new UsageError(
    `expectation ${JSON.stringify(text)} names the unknown metric ${JSON.stringify(name)}` +
      `${suggestion}${metrics.names.join(", ")}`,
  );
}

/** Insertions, deletions and replacements that lead from one text to the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}

/**
 * Holds an expectation against what was measured. A figure without data fails and says why: a run
 * that measured nothing must not pass.
 */
export function evaluate<Run>(expectation: Expectation<Run>, snapshot: Run): ExpectationResult {
  const { metric, operator, limit, text } = expectation;
  const value = metric.value(snapshot);
  const isShare = limit.quantity === "share" && metric.quantity !== "share";
  const whole = metric.whole?.(snapshot) ?? NaN;
  const compared = isShare ? value / whole : value;
  if (!Number.isFinite(compared)) {
    return { expectation: text, measured: `no data: ${metric.without}`, passed: false };
  }
  const measured = formatQuantity(value, metric.quantity);
  return {
    expectation: text,
    measured: isShare ? `${formatQuantity(compared, "share")} (${measured})` : measured,
    passed: operators[operator](compared, limit.value),
  };
}
