/** A figure that issue 2 asks for. Whether it was met is printed, never asserted. */
export interface Goal {
  /** The figure, in the unit of the goal. */
  readonly measured: string;
  /** `≥ 20,000/s`. */
  readonly text: string;
  readonly isMet: boolean;
}

type Format = (value: number) => string;

/** Without a limit there is no goal. A figure that could not be measured (NaN) meets none. */
export function atLeast(value: number, limit: number, format: Format): Goal;
export function atLeast(value: number, limit: number | undefined, format: Format): Goal | undefined;
export function atLeast(value: number, limit: number | undefined, format: Format) {
  return limit === undefined
    ? undefined
    : { measured: format(value), text: `≥ ${format(limit)}`, isMet: value >= limit };
}

export function atMost(value: number, limit: number, format: Format): Goal;
export function atMost(value: number, limit: number | undefined, format: Format): Goal | undefined;
export function atMost(value: number, limit: number | undefined, format: Format) {
  return limit === undefined
    ? undefined
    : { measured: format(value), text: `≤ ${format(limit)}`, isMet: value <= limit };
}

export function exactly(value: number, expected: number, format: Format): Goal {
  return { measured: format(value), text: format(expected), isMet: value === expected };
}

/** The middle of the values, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
