import type { Stream } from "./libp2p_types.ts";

/**
 * Tells when a stream has handed on what was written to it: what its peer's window, or a full socket,
 * holds up waits in the stream.
 */
export class SendMeter<Item> {
  /** Bytes written to the stream until now. */
  private written = 0;
  /** What waits, oldest first, and up to which byte. */
  private readonly items: Item[] = [];
  private readonly ends: number[] = [];
  private first = 0;

  /** @param done the item's bytes have been handed on, or never will be: the stream has ended. */
  constructor(
    private readonly stream: Stream,
    private readonly done: (item: Item, wasHandedOn: boolean) => void,
  ) {
    const send = stream.send.bind(stream);
    stream.send = (data) => {
      this.written += data.byteLength;
      return send(data);
    };
    // The stream throws away what waits before it ends, and is idle then too.
    stream.addEventListener("idle", () => this.isOpen && this.settle(this.written, true));
    // The stream itself goes on sending in a microtask after this event.
    stream.addEventListener("drain", () => setImmediate(() => this.settleSent()));
    stream.addEventListener("close", () => this.settle(Infinity, false));
  }

  get isOpen(): boolean {
    return this.stream.status === "open" && this.stream.writeStatus === "writable";
  }

  /**
   * Calls `done` when everything that was written until now has been handed on.
   *
   * @returns false, and calls nothing, where that is so already.
   */
  afterAll(item: Item): boolean {
    if (this.stream.writeBufferLength === 0 || !this.isOpen) return false;
    this.items.push(item);
    this.ends.push(this.written);
    return true;
  }

  private settleSent(): void {
    if (this.isOpen) this.settle(this.written - this.stream.writeBufferLength, true);
  }

  private settle(handedOn: number, wasHandedOn: boolean): void {
    while (this.first < this.items.length && this.ends[this.first]! <= handedOn) {
      this.done(this.items[this.first++]!, wasHandedOn);
    }
    if (this.first < 1_024 && this.first < this.items.length) return;
    this.items.splice(0, this.first);
    this.ends.splice(0, this.first);
    this.first = 0;
  }
}
