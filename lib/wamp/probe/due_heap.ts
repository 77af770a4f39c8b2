/**
 * Which of many publishers is due next: a binary heap of numbers 0 … n-1 by their due times. Costs 12
 * bytes each and allocates nothing after the constructor.
 */
export class DueHeap {
  readonly #heap: Uint32Array;
  readonly #dueNs: Float64Array;
  #size = 0;

  constructor(capacity: number) {
    this.#heap = new Uint32Array(capacity);
    this.#dueNs = new Float64Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** When the first is due; Infinity where there is none. */
  get nextNs(): number {
    return this.#size === 0 ? Infinity : this.#dueNs[this.#heap[0]!]!;
  }

  /** Adds one that is not in the heap. */
  push(item: number, dueNs: number): void {
    this.#dueNs[item] = dueNs;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (this.#dueNs[this.#heap[parent]!]! <= dueNs) break;
      this.#heap[at] = this.#heap[parent]!;
      at = parent;
    }
    this.#heap[at] = item;
  }

  /** Takes the first out; only where there is one. */
  pop(): number {
    const first = this.#heap[0]!;
    const last = this.#heap[--this.#size]!;
    const dueNs = this.#dueNs[last]!;
    let at = 0;
    for (let child = 1; child < this.#size; child = 2 * at + 1) {
      const other = child + 1;
      if (
        other < this.#size && this.#dueNs[this.#heap[other]!]! < this.#dueNs[this.#heap[child]!]!
      ) child = other;
      if (this.#dueNs[this.#heap[child]!]! >= dueNs) break;
      this.#heap[at] = this.#heap[child]!;
      at = child;
    }
    this.#heap[at] = last;
    return first;
  }
}
