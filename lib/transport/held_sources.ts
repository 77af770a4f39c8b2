import type { SourceAddresses } from "./transport.ts";

const noPair = -1;

/**
 * Which source pair each connection of a dialer holds: its own until its socket is gone. 8 bytes a
 * connection.
 */
export class HeldSources {
  readonly #sources: SourceAddresses;
  readonly #pairs: Float64Array;
  /** Those of connects that were given up, by what marks their sockets. */
  readonly #abandoned = new Map<number, number>();

  constructor(sources: SourceAddresses, capacity: number) {
    this.#sources = sources;
    this.#pairs = new Float64Array(capacity).fill(noPair);
  }

  /** A connection has a pair from now on. */
  hold(id: number, pair: number): void {
    this.#pairs[id] = pair;
  }

  /** The socket of a connection is gone. */
  release(id: number): void {
    const pair = this.#pairs[id]!;
    if (pair === noPair) return;
    this.#pairs[id] = noPair;
    this.#sources.release(pair);
  }

  /** A connect is given up; the socket that is marked with `attempt` may come all the same. */
  abandon(id: number, attempt: number): void {
    const pair = this.#pairs[id]!;
    if (pair === noPair) return;
    this.#pairs[id] = noPair;
    this.#abandoned.set(attempt, pair);
  }

  /** The socket of a connect that was given up is gone. */
  releaseAbandoned(attempt: number): void {
    const pair = this.#abandoned.get(attempt);
    if (pair === undefined) return;
    this.#abandoned.delete(attempt);
    this.#sources.release(pair);
  }
}
