/** Smallest number of slots. */
const initialCapacity = 1 << 16;

/**
 * Storage of messages by sequence number: message s lives in slot s mod capacity of typed arrays, and
 * the arrays double when they are full. Slots below `head` are over, but keep what they hold until
 * the ring comes round.
 *
 * A message costs 35 bytes.
 */
export abstract class MessageRing {
  intendedNs = new Float64Array(initialCapacity);
  sentNs = new Float64Array(initialCapacity);
  /** Time between the message and the one before it in the plan. */
  gapNs = new Float32Array(initialCapacity);
  /** Sequence number of the next message that waits on the same connection, or -1. */
  protected next = new Float64Array(initialCapacity);
  protected connection = new Int32Array(initialCapacity).fill(-1);
  protected state = new Uint8Array(initialCapacity);
  /** The connection's epoch when the message was entered. */
  protected epoch = new Uint16Array(initialCapacity);

  protected capacity = initialCapacity;
  protected mask = initialCapacity - 1;
  /** The oldest message that may still be open, and the number that the next one gets. */
  protected head = 0;
  protected tail = 0;

  /** Slot of a message in `intendedNs`, `sentNs` and `gapNs`. */
  slotOf(sequence: number): number {
    return sequence & this.mask;
  }

  /** The oldest sequence number whose slot was not used again. */
  protected get oldest(): number {
    return Math.max(0, this.tail - this.capacity);
  }

  /** Makes room for one more message. */
  protected reserve(): void {
    if (this.tail - this.head < this.capacity) return;
    const capacity = this.capacity * 2;
    this.intendedNs = this.moved(this.intendedNs, new Float64Array(capacity));
    this.sentNs = this.moved(this.sentNs, new Float64Array(capacity));
    this.gapNs = this.moved(this.gapNs, new Float32Array(capacity));
    this.next = this.moved(this.next, new Float64Array(capacity));
    this.connection = this.moved(this.connection, new Int32Array(capacity).fill(-1));
    this.state = this.moved(this.state, new Uint8Array(capacity));
    this.epoch = this.moved(this.epoch, new Uint16Array(capacity));
    this.capacity = capacity;
    this.mask = capacity - 1;
  }

  private moved<A extends Float64Array | Float32Array | Int32Array | Uint16Array | Uint8Array>(
    from: A,
    to: A,
  ): A {
    const mask = to.length - 1;
    for (let sequence = this.oldest; sequence < this.tail; sequence++) {
      to[sequence & mask] = from[sequence & this.mask]!;
    }
    return to;
  }
}
