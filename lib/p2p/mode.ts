/** Who broadcasts, and when; the values of `--mode`. */
export const modes = ["all", "one", "rr", "explore"] as const;

export type Mode = (typeof modes)[number];

/** The modes in which one node alone broadcasts, and has to be named. */
export function hasBroadcaster(mode: Mode): boolean {
  return mode === "one" || mode === "explore";
}

/** Whether a node broadcasts at all, at some time. */
export function isBroadcasting(
  mode: Mode,
  nodeId: number,
  broadcaster: number | undefined,
): boolean {
  return !hasBroadcaster(mode) || nodeId === broadcaster;
}

/** A stretch of time in nanoseconds, its end excluded. */
export interface Span {
  readonly startNs: number;
  readonly endNs: number;
}

/** Round robin: node floor(unix seconds / round) mod n broadcasts. */
export interface Rounds {
  readonly roundSeconds: number;
  readonly numNodes: number;
}

/** The node whose turn it is. */
export function turnAt(unixSeconds: number, { roundSeconds, numNodes }: Rounds): number {
  return Math.floor(unixSeconds / roundSeconds) % numNodes;
}

/**
 * The turn of a node that goes on at an instant, or else its next one; in nanoseconds since the
 * origin.
 *
 * @param originSeconds a whole second since 1970, from which the instant counts.
 */
export function turnOf(
  nodeId: number,
  atNs: number,
  originSeconds: number,
  { roundSeconds, numNodes }: Rounds,
): Span {
  const round = Math.floor((originSeconds + atNs / 1e9) / roundSeconds);
  const roundsToGo = (nodeId - (round % numNodes) + numNodes) % numNodes;
  const startOf = (number: number) => (number * roundSeconds - originSeconds) * 1e9;
  return { startNs: startOf(round + roundsToGo), endNs: startOf(round + roundsToGo + 1) };
}
