import type { Verdict } from "../stats/snapshot.ts";
import { labelled, labelledList } from "./columns.ts";

/** Each expectation with what was measured; nothing where none was given. */
export function expectationLines(verdict: Verdict | undefined): string[] {
  if (verdict === undefined || verdict.expectations.length === 0) return [];
  const width = Math.max(...verdict.expectations.map(({ expectation }) => expectation.length));
  return labelledList(
    "expectations",
    verdict.expectations.map(({ expectation, measured, passed }) =>
      `${passed ? "pass" : "FAIL"}  ${expectation.padEnd(width)}  ${measured}`
    ),
  );
}

/**
 * The verdict and its reasons.
 *
 * @param invalid what an invalid run comes from.
 */
export function verdictLines(verdict: Verdict | undefined, invalid: string): string[] {
  if (verdict === undefined) return [];
  const names: Record<Verdict["kind"], string> = {
    ok: "ok",
    "expectation-failed": "EXPECTATION FAILED",
    invalid: `INVALID: ${invalid}`,
    "stopped-by-limit": "STOPPED BY LIMIT",
  };
  return [
    ...labelled("verdict", names[verdict.kind]),
    ...labelledList("", verdict.reasons, "- "),
  ];
}
