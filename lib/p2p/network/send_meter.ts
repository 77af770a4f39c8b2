import type { Stream } from "./libp2p_types.ts";
import { type JoinedWrites, writesOf } from "./write_joiner.ts";

/**
 * Tells when what was written to a stream has left the process. What its peer's window, or a full
 * socket, holds up waits in the stream; what the stream has passed on waits with the connection, for
 * the end of the turn at least.
 */
export class SendMeter<Item> {
  private readonly writes: JoinedWrites | undefined;
  /** Bytes written to the stream until now. */
  private written = 0;
  /** What waits, oldest first, and up to which byte of the stream. */
  private readonly items: Item[] = [];
  private readonly ends: number[] = [];
  /** Up to which byte of the connection, for those that the stream has passed on. */
  private readonly marks: number[] = [];
  private first = 0;
  private awaitsConnection = false;

  /**
   * @param done the item's bytes have been handed on, or never will be: the stream was broken off, or
   * its connection has ended.
   */
  constructor(
    private readonly stream: Stream,
    private readonly done: (item: Item, wasHandedOn: boolean) => void,
  ) {
    this.writes = writesOf(stream);
    const send = stream.send.bind(stream);
    stream.send = (data) => {
      this.written += data.byteLength;
      return send(data);
    };
    // The stream throws away what waits before it ends, and is idle then too.
    stream.addEventListener("idle", () => this.passOn());
    // The stream itself goes on sending in a microtask after this event.
    stream.addEventListener("drain", () => setImmediate(() => this.passOn()));
    stream.addEventListener("close", () => this.end());
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
    if (!this.isOpen) return false;
    const isPassedOn = this.stream.writeBufferLength === 0;
    const { writes } = this;
    if (isPassedOn && (writes === undefined || writes.taken === writes.given)) return false;
    this.items.push(item);
    this.ends.push(this.written);
    if (isPassedOn) this.passOn();
    return true;
  }

  /** What the stream holds no more waits for the connection. */
  private passOn(): void {
    const { status, writeStatus } = this.stream;
    // One that closes still sends what it has.
    if (status !== "open" || writeStatus === "closed") return;
    const passedOn = this.written - this.stream.writeBufferLength;
    const mark = this.writes?.given ?? 0;
    while (this.marks.length < this.ends.length && this.ends[this.marks.length]! <= passedOn) {
      this.marks.push(mark);
    }
    this.settle();
  }

  private settle(): void {
    const taken = this.writes?.taken ?? Infinity;
    while (this.first < this.marks.length && this.marks[this.first]! <= taken) {
      this.done(this.items[this.first++]!, true);
    }
    this.forget();
    if (this.awaitsConnection || this.first === this.marks.length) return;
    this.awaitsConnection = this.writes?.afterAll(this.onTaken) === true;
  }

  private readonly onTaken = (wasTaken: boolean): void => {
    this.awaitsConnection = false;
    if (wasTaken) this.settle();
    else this.lose();
  };

  private end(): void {
    // What a stream has passed on before it was closed still goes, for as long as its connection lives.
    if (this.stream.status === "closed") this.settle();
    if (!this.awaitsConnection || this.stream.status !== "closed") this.lose();
  }

  private lose(): void {
    while (this.first < this.items.length) this.done(this.items[this.first++]!, false);
    this.forget();
  }

  /** Those that are done. */
  private forget(): void {
    if (this.first < 1_024 && this.first < this.items.length) return;
    this.items.splice(0, this.first);
    this.ends.splice(0, this.first);
    this.marks.splice(0, this.first);
    this.first = 0;
  }
}
