import type { Failure, FailureKind } from "./failure.ts";
import type { FailureCount } from "./snapshot.ts";

/** Failures by kind, each with the time and the native error of its first one. */
export class FailureTally {
  readonly #counts = new Map<FailureKind, FailureCount>();

  /** Counts a failure. Allocates only for the first of its kind. */
  record(failure: Failure, atMs: number): void {
    const counted = this.#counts.get(failure.kind);
    if (counted !== undefined) {
      counted.count++;
      return;
    }
    this.#counts.set(failure.kind, {
      kind: failure.kind,
      count: 1,
      firstAtMs: atMs,
      firstDetail: failure.detail,
    });
  }

  /** Adds what another tally counted; the earlier first failure stays. */
  add(counts: readonly FailureCount[]): void {
    for (const other of counts) {
      const counted = this.#counts.get(other.kind);
      if (counted === undefined) {
        this.#counts.set(other.kind, { ...other });
        continue;
      }
      counted.count += other.count;
      if (other.firstAtMs < counted.firstAtMs) {
        counted.firstAtMs = other.firstAtMs;
        counted.firstDetail = other.firstDetail;
      }
    }
  }

  /** All failures together. */
  get total(): number {
    let total = 0;
    for (const { count } of this.#counts.values()) total += count;
    return total;
  }

  /** Copies of the counts, the most frequent first. */
  counts(): FailureCount[] {
    return [...this.#counts.values()]
      .map((counted) => ({ ...counted }))
      .sort((a, b) => b.count - a.count || a.firstAtMs - b.firstAtMs);
  }
}
