/**
 * Connections that wait for a time, the earliest first: a binary heap of ids, so that a million
 * waiting ones need no timer each.
 *
 * A connection costs 12 bytes.
 */
export class RetryQueue {
  size = 0;
  private readonly dueNs: Float64Array;
  private readonly heap: Int32Array;

  constructor(connections: number) {
    this.dueNs = new Float64Array(connections);
    this.heap = new Int32Array(connections);
  }

  /** When the first is due (clock time); Infinity when none waits. */
  get nextDueNs(): number {
    return this.size === 0 ? Infinity : this.dueNs[this.heap[0]!]!;
  }

  /** Adds a connection that does not wait yet. */
  add(id: number, dueNs: number): void {
    this.dueNs[id] = dueNs;
    const { heap } = this;
    let place = this.size++;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent]!;
      if (this.dueNs[above]! <= dueNs) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = id;
  }

  /** Takes the first out; the caller has seen that there is one. */
  take(): number {
    const { heap, dueNs } = this;
    const first = heap[0]!;
    const moved = heap[--this.size]!;
    const movedDueNs = dueNs[moved]!;
    let place = 0;
    for (let child = 1; child < this.size; child = 2 * place + 1) {
      if (child + 1 < this.size && dueNs[heap[child + 1]!]! < dueNs[heap[child]!]!) child++;
      if (dueNs[heap[child]!]! >= movedDueNs) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = moved;
    return first;
  }
}
