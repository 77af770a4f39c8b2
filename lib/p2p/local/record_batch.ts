/**
 * What a node sent and received, on its way to the parent: columns of equal length, 26 bytes a record.
 * Instants are nanoseconds since the run's origin.
 */
export interface PackedRecords {
  readonly senders: Uint16Array;
  readonly indices: Float64Array;
  readonly dueNs: Float64Array;
  /** NaN: the node's own message, which it has sent. */
  readonly arrivedNs: Float64Array;
  /** Further copies of messages that had arrived. */
  readonly duplicates: number;
  /** Messages of senders that have no place in the columns. */
  readonly foreign: number;
}

const firstCapacity = 1024;
const mostSenders = 0xffff;

/** Collects records without allocating for each; grows to what came between two takings. */
export class RecordBatch {
  #capacity = firstCapacity;
  #length = 0;
  #duplicates = 0;
  #foreign = 0;
  #senders = new Uint16Array(firstCapacity);
  #indices = new Float64Array(firstCapacity);
  #dueNs = new Float64Array(firstCapacity);
  #arrivedNs = new Float64Array(firstCapacity);

  sent(sender: number, index: number, dueNs: number): void {
    this.#add(sender, index, dueNs, NaN);
  }

  received(sender: number, index: number, dueNs: number, arrivedNs: number): void {
    if (sender >= 0 && sender <= mostSenders) this.#add(sender, index, dueNs, arrivedNs);
    else this.#foreign++;
  }

  duplicated(): void {
    this.#duplicates++;
  }

  /** All records since the last call. */
  take(): PackedRecords {
    const length = this.#length;
    const taken: PackedRecords = {
      senders: this.#senders.slice(0, length),
      indices: this.#indices.slice(0, length),
      dueNs: this.#dueNs.slice(0, length),
      arrivedNs: this.#arrivedNs.slice(0, length),
      duplicates: this.#duplicates,
      foreign: this.#foreign,
    };
    this.#length = 0;
    this.#duplicates = 0;
    this.#foreign = 0;
    return taken;
  }

  #add(sender: number, index: number, dueNs: number, arrivedNs: number): void {
    if (this.#length === this.#capacity) this.#grow();
    const at = this.#length++;
    this.#senders[at] = sender;
    this.#indices[at] = index;
    this.#dueNs[at] = dueNs;
    this.#arrivedNs[at] = arrivedNs;
  }

  #grow(): void {
    this.#capacity *= 2;
    const grown = (column: Float64Array) => {
      const larger = new Float64Array(this.#capacity);
      larger.set(column);
      return larger;
    };
    const senders = new Uint16Array(this.#capacity);
    senders.set(this.#senders);
    this.#senders = senders;
    this.#indices = grown(this.#indices);
    this.#dueNs = grown(this.#dueNs);
    this.#arrivedNs = grown(this.#arrivedNs);
  }
}
