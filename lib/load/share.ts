/**
 * Which part of a load one of several generators carries out. They divide it like cards: connection
 * k of the whole load belongs to generator `k mod of`, and what is planned by number (connection
 * attempts, uniform arrivals) goes with the connection whose turn it is. So the parts put together
 * are the plan that one generator would carry out, whatever the number of generators.
 */
export interface Share {
  /** 0 ≤ index < of. */
  readonly index: number;
  readonly of: number;
  /** Of the whole load; at least one for each generator. */
  readonly connections: number;
}

/** All of a load. */
export function wholeOf(connections: number): Share {
  return { index: 0, of: 1, connections };
}

/** How many of the connections a share has. */
export function connectionsOf({ index, of, connections }: Share): number {
  return Math.ceil((connections - index) / of);
}

/** The number of whole units that fall to a share when `total` are dealt out one by one. */
export function dealt(total: number, index: number, of: number): number {
  return Math.floor(total / of) + (index < total % of ? 1 : 0);
}
