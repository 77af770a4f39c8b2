/** A message that waits to be sent. */
export interface QueuedMessage {
  readonly bytes: Uint8Array;
  readonly token: number;
}

/** Messages in the order in which they were put in; taking one out does not move the others. */
export class MessageQueue {
  private places: (QueuedMessage | undefined)[] = new Array(64);
  private first = 0;
  private count = 0;
  private waitingBytes = 0;

  get length(): number {
    return this.count;
  }

  /** Of all messages together. */
  get bytes(): number {
    return this.waitingBytes;
  }

  push(message: QueuedMessage): void {
    if (this.count === this.places.length) this.grow();
    this.places[(this.first + this.count) % this.places.length] = message;
    this.count++;
    this.waitingBytes += message.bytes.length;
  }

  shift(): QueuedMessage | undefined {
    if (this.count === 0) return undefined;
    const message = this.places[this.first];
    this.places[this.first] = undefined;
    this.first = (this.first + 1) % this.places.length;
    this.count--;
    this.waitingBytes -= message?.bytes.length ?? 0;
    return message;
  }

  private grow(): void {
    const ordered = [...this.places.slice(this.first), ...this.places.slice(0, this.first)];
    ordered.length = 2 * this.places.length;
    this.places = ordered;
    this.first = 0;
  }
}
