/** A connection for which what it does not read waits. */
export interface Watched {
  /** Bytes that wait. */
  readonly pendingBytes: number;
  terminate(): void;
}

/** Between two looks at those for which much waits, at most. */
const mostStepBytes = 16_384;

/**
 * Ends and counts connections that do not read, where it is the engine that keeps what waits for them:
 * it would end them uncounted, as if they had gone by themselves.
 *
 * Nobody can be beyond the bound before as many bytes have been sent as were left to it for the one for
 * which most waited. So all are looked at each half of the bound, and in between only those for which
 * more than that waits: a message costs an addition.
 */
export class SlowWatch {
  /** How many were ended. */
  ended = 0;
  readonly #connections: Iterable<Watched>;
  readonly #maxPendingBytes: number;
  readonly #stepBytes: number;
  /** All that was sent, to one or to many. */
  #sentBytes = 0;
  #nextLookBytes = 0;
  #nextLookAtAllBytes = 0;
  readonly #isEnded = new WeakSet<Watched>();
  /** More than half of the bound waited for them. */
  #backlogged: Watched[] = [];

  constructor(connections: Iterable<Watched>, maxPendingBytes: number) {
    this.#connections = connections;
    this.#maxPendingBytes = maxPendingBytes;
    this.#stepBytes = Math.min(mostStepBytes, maxPendingBytes / 8);
  }

  /** So much was sent to each of some connections. */
  sent(bytes: number): void {
    this.#sentBytes += bytes;
    if (this.#sentBytes >= this.#nextLookBytes) this.#look();
  }

  #look(): void {
    const half = this.#maxPendingBytes / 2;
    const isAtAll = this.#sentBytes >= this.#nextLookAtAllBytes;
    if (isAtAll) this.#nextLookAtAllBytes = this.#sentBytes + half;
    const looked = isAtAll ? this.#connections : this.#backlogged;
    const backlogged: Watched[] = [];
    let most = half;
    for (const connection of looked) {
      const { pendingBytes } = connection;
      if (pendingBytes > this.#maxPendingBytes) this.#end(connection);
      else if (pendingBytes > half) {
        backlogged.push(connection);
        most = Math.max(most, pendingBytes);
      }
    }
    this.#backlogged = backlogged;
    const step = Math.max(this.#stepBytes, (this.#maxPendingBytes - most) / 2);
    this.#nextLookBytes = backlogged.length === 0
      ? this.#nextLookAtAllBytes
      : Math.min(this.#nextLookAtAllBytes, this.#sentBytes + step);
  }

  #end(connection: Watched): void {
    if (this.#isEnded.has(connection)) return;
    this.#isEnded.add(connection);
    this.ended++;
    // Not while whoever sends goes through the receivers.
    queueMicrotask(() => connection.terminate());
  }
}
