const none = -1;

/**
 * Attempts to connect that have neither succeeded nor failed, in the order in which they were made:
 * only the oldest can have taken too long.
 *
 * A connection costs 16 bytes.
 */
export class PendingAttempts {
  /** When the last attempt of a connection was made (clock time), also after its end. */
  readonly madeNs: Float64Array;
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private first = none;
  private last = none;

  constructor(connections: number) {
    this.madeNs = new Float64Array(connections);
    this.next = new Int32Array(connections);
    this.previous = new Int32Array(connections);
  }

  /** The connection whose attempt was made first, or -1. */
  get oldest(): number {
    return this.first;
  }

  add(id: number, atNs: number): void {
    this.madeNs[id] = atNs;
    this.next[id] = none;
    this.previous[id] = this.last;
    if (this.last === none) this.first = id;
    else this.next[this.last] = id;
    this.last = id;
  }

  remove(id: number): void {
    const before = this.previous[id]!;
    const after = this.next[id]!;
    if (before === none) this.first = after;
    else this.next[before] = after;
    if (after === none) this.last = before;
    else this.previous[after] = before;
  }
}
