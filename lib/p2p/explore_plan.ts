import { UsageError } from "../errors.ts";

/** What `explore` tries, and for how long. */
export interface ExploreSettings {
  readonly runSeconds: number;
  readonly coolDownSeconds: number;
  readonly minThroughputBytesPerSecond: number;
  readonly minMessageBytes: number;
  /** Whether the plan ends at the first combination that is not sustained. */
  readonly stopsAtLimit: boolean;
}

/** A size and a heartbeat that are tried together. */
export interface Combination {
  /** Whole message, header included. */
  readonly messageBytes: number;
  readonly heartbeatMs: number;
}

/** 1 KiB to 4 MiB. */
export const exploredSizesBytes: readonly number[] = Array.from(
  { length: 13 },
  (_, step) => 2 ** (10 + step),
);

export const exploredHeartbeatsMs: readonly number[] = [
  ...[1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 100, 150, 200, 250, 500, 1000],
];

/** Bytes per second that a broadcaster of this combination asks for. */
export function throughputOf({ messageBytes, heartbeatMs }: Combination): number {
  return (messageBytes * 1000) / heartbeatMs;
}

/**
 * The combinations to try, by rising throughput; those of the same throughput in the order of size,
 * then of heartbeat.
 *
 * @param largestBytes sizes above this are left out: a protocol may not carry them.
 * @throws {UsageError} nothing is left to try.
 */
export function explorePlan(
  { minThroughputBytesPerSecond, minMessageBytes }: Pick<
    ExploreSettings,
    "minThroughputBytesPerSecond" | "minMessageBytes"
  >,
  largestBytes = Infinity,
): Combination[] {
  const plan = exploredSizesBytes
    .flatMap((messageBytes) =>
      exploredHeartbeatsMs.map((heartbeatMs) => ({ messageBytes, heartbeatMs }))
    )
    .filter((combination) =>
      combination.messageBytes >= minMessageBytes && combination.messageBytes <= largestBytes &&
      throughputOf(combination) >= minThroughputBytesPerSecond
    )
    .toSorted((a, b) => throughputOf(a) - throughputOf(b));
  if (plan.length > 0) return plan;
  throw new UsageError(
    `explore has nothing to try: no combination has messages of ${minMessageBytes} bytes and more ` +
      `and asks for ${minThroughputBytesPerSecond} bytes per second and more; lower ` +
      `--explore-min-message-size-bytes or --explore-min-throughput-byte-per-seconds`,
  );
}
