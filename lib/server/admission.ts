/** Why a connection is not let in, where it is no fault of its own. */
export type RefusalReason = "max-connections" | "fd-limit";

/**
 * Counts the open connections of all endpoints together, because they share one limit. Descriptors
 * are watched by the transports, which see their numbers.
 */
export class Admission {
  readonly maxConnections: number;
  #open = 0;

  /** @param maxConnections Infinity: no limit. */
  constructor(maxConnections: number) {
    this.maxConnections = maxConnections;
  }

  /** How many more connections would be let in now. */
  get room(): number {
    return Math.max(0, this.maxConnections - this.#open);
  }

  enter(): void {
    this.#open++;
  }

  leave(): void {
    this.#open--;
  }
}
