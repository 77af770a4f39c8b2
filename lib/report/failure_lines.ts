import { formatCount, formatElapsed } from "../stats/figures.ts";
import type { FailureCount } from "../stats/snapshot.ts";
import { labelledList } from "./columns.ts";

/** Failures by kind, each with its first one, on lines under one label; none without failures. */
export function failureLines(failures: readonly FailureCount[]): string[] {
  return labelledList(
    "failures",
    failures.map(({ kind, count, firstAtMs, firstDetail }) => {
      const detail = firstDetail === "" || firstDetail === kind ? "" : `: ${firstDetail}`;
      return `${formatCount(count)} ${kind}, first after ${formatElapsed(firstAtMs)}${detail}`;
    }),
  );
}
