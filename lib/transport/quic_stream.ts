import { drainable, type NativeStream, type NativeWriter } from "./quic_native.ts";

/** Bytes that a write accepts before the network has taken any: what a sender can fill. */
export const sendBufferBytes = 64 * 1024;

/** Who uses a stream. */
export interface StreamUser {
  received(bytes: Uint8Array): void;
  /** There is room again after a write that was cut short. */
  drained(): void;
  /** FIN has come, or the session has ended. */
  readEnded(): void;
  /** The peer has reset the stream, or the session has ended. */
  readFailed(): void;
}

/** The bidirectional stream of a connection, with bounded writes and a reader that can pause. */
export class QuicByteStream {
  readonly #stream: NativeStream;
  readonly #writer: NativeWriter;
  readonly #user: StreamUser;
  #drains: Promise<unknown> | undefined;
  #isFinishing = false;
  #isPaused = false;
  #isReleased = false;
  #readOn: (() => void) | undefined;

  constructor(stream: NativeStream, user: StreamUser) {
    stream.highWaterMark = sendBufferBytes;
    this.#stream = stream;
    this.#writer = stream.writer;
    this.#user = user;
  }

  /** Bytes that came in and were not read yet. */
  get unreadBytes(): number {
    return Number(this.#stream.stats.bytesAccumulated);
  }

  /**
   * Writes what there is room for; the runtime copies it. `drained` follows a write that took less.
   *
   * @returns the bytes taken; -1 when nothing can be written any more (STOP_SENDING, or the end).
   */
  write(bytes: Uint8Array, offset: number, length: number): number {
    const room = this.#writer.desiredSize;
    if (room === null) return -1;
    let taken = Math.min(room, length);
    if (taken > 0) {
      const isWhole = offset === 0 && taken === bytes.length;
      const piece = isWhole ? bytes : bytes.subarray(offset, offset + taken);
      if (!this.#writer.writeSync(piece)) taken = 0;
    }
    if (taken < length) this.#awaitDrain();
    return taken;
  }

  #awaitDrain(): void {
    if (this.#drains !== undefined) return;
    this.#drains = this.#writer[drainable]() ?? Promise.resolve();
    this.#drains.then(() => this.#drained(), () => {}); // rejected: the session tells why
  }

  #drained(): void {
    this.#drains = undefined;
    if (this.#isReleased) return;
    if (this.#isFinishing) this.#writer.endSync();
    else this.#user.drained();
  }

  /** Sends FIN after what was written. */
  finish(): void {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    // While a drain is awaited the runtime takes no FIN; it follows the drain.
    if (this.#drains === undefined) this.#writer.endSync();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#continue();
  }

  /** Ends the reading; nothing more is reported. */
  release(): void {
    this.#isReleased = true;
    this.#continue();
  }

  #continue(): void {
    const readOn = this.#readOn;
    this.#readOn = undefined;
    readOn?.();
  }

  /** One loop a connection; nothing in it is made for a message but the runtime's own batch. */
  async read(): Promise<void> {
    const iterator = this.#stream[Symbol.asyncIterator]();
    for (;;) {
      let result: IteratorResult<Uint8Array[], unknown>;
      try {
        result = await iterator.next();
      } catch {
        if (!this.#isReleased) this.#user.readFailed();
        return;
      }
      if (this.#isReleased) return;
      if (result.done) return this.#user.readEnded();
      for (const bytes of result.value) {
        while (this.#isPaused && !this.#isReleased) {
          await new Promise<void>((resolve) => this.#readOn = resolve);
        }
        if (this.#isReleased) return;
        this.#user.received(bytes);
      }
    }
  }
}
