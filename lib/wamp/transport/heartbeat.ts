import type { StandstillWatch } from "./standstill.ts";

/** A connection that can be asked whether it lives. */
export interface Heard {
  /** Whether anything came since the last ping. */
  heard: boolean;
  ping(): void;
  terminate(): void;
}

/**
 * Pings all connections of a listener at an interval, and ends those from which nothing has come
 * since the ping before. One timer for all.
 */
export class Heartbeat {
  readonly #connections: Iterable<Heard>;
  readonly #standstill: StandstillWatch;
  readonly #timer: ReturnType<typeof setInterval> | undefined;

  /** @param intervalMs 0: never. */
  constructor(connections: Iterable<Heard>, intervalMs: number, standstill: StandstillWatch) {
    this.#connections = connections;
    this.#standstill = standstill;
    if (intervalMs > 0) this.#timer = setInterval(() => this.#beat(), intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    // What came while this process stood still has not been read yet.
    this.#standstill.check();
    for (const connection of this.#connections) {
      if (connection.heard) {
        connection.heard = false;
        connection.ping();
      } else {
        connection.terminate();
      }
    }
  }
}
