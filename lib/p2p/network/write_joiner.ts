import { Uint8ArrayList } from "./bytes.ts";
import type { MessageStream, Stream } from "./libp2p_types.ts";

/** More than this is not held back to be joined: a frame of noise carries 64 KiB. */
const mostJoinedBytes = 64 * 1024;

/** What is used of the library's connection below that of noise, and of its socket. */
interface Transport {
  readonly writeBufferLength: number;
  readonly writableNeedsDrain: boolean;
  readonly socket?: {
    /** Bytes that the kernel has not taken. */
    readonly writableLength: number;
    /** Calls back when it has taken these, and all before them. */
    write(bytes: Uint8Array, done: (error?: Error | null) => void): boolean;
  };
}

const nothing = new Uint8Array(0);

/**
 * Makes a connection send all that it is given in one turn of the event loop together, at the turn's
 * end: one frame of noise and one system call instead of one each for every frame of yamux, of which
 * a query of SQMR takes half a dozen. While the socket is full nothing more is written: what comes
 * then waits here, and the streams learn that they are to wait.
 *
 * So this is where it is known which bytes have left the process, and which wait.
 */
export class JoinedWrites {
  private readonly write: MessageStream["send"];
  private readonly transport: Transport | undefined;
  private waiting: Uint8ArrayList | undefined;
  private isFull = false;
  private asksSocket = false;
  /** Bytes that the connection was given, those of them that were written, and that the kernel took. */
  private givenBytes = 0;
  private writtenBytes = 0;
  private takenBytes = 0;
  /** Who wants to know when bytes up to a mark have been taken, in the order of the marks. */
  private readonly marks: number[] = [];
  private readonly tolds: ((wasTaken: boolean) => void)[] = [];

  /**
   * @param saturated the socket is full; streams are to send no more until the connection's `drain`.
   */
  constructor(private readonly connection: MessageStream, private readonly saturated: () => void) {
    this.write = connection.send.bind(connection);
    this.transport = (connection as { readonly stream?: Transport }).stream;
    connection.send = (bytes) => this.give(bytes);
    connection.addEventListener("drain", (event) => {
      if (!this.drained()) event.stopImmediatePropagation();
    });
    connection.addEventListener("close", () => this.end());
  }

  /** Bytes that the connection was given to send until now. */
  get given(): number {
    return this.givenBytes;
  }

  /** Those of them, from the first on, that the kernel has taken. */
  get taken(): number {
    return this.takenBytes;
  }

  /**
   * Calls when all that was given until now has been taken by the kernel, or never will be as the
   * connection has ended.
   *
   * @returns false, and calls nothing, where nothing waits.
   */
  afterAll(told: (wasTaken: boolean) => void): boolean {
    if (this.takenBytes === this.givenBytes || this.connection.status !== "open") return false;
    this.marks.push(this.givenBytes);
    this.tolds.push(told);
    return true;
  }

  /** Sends what waits, at once, however full the socket is: the connection is about to end. */
  flush(): void {
    const bytes = this.waiting;
    this.waiting = undefined;
    if (bytes === undefined || this.connection.status !== "open") return;
    this.writtenBytes += bytes.byteLength;
    let takesMore: boolean;
    try {
      takesMore = this.write(bytes);
    } catch {
      // The connection has ended, and with it all of its streams, each of which is told so.
      return;
    }
    if (takesMore) return this.askSocket();
    this.isFull = true;
    this.saturated();
  }

  private readonly flushTurn = (): void => {
    if (!this.isFull) this.flush();
  };

  private give(bytes: Uint8Array | Uint8ArrayList): boolean {
    if (this.connection.status !== "open") return this.write(bytes);
    if (this.waiting === undefined) {
      this.waiting = new Uint8ArrayList();
      if (!this.isFull) setImmediate(this.flushTurn);
    }
    this.waiting.append(bytes);
    this.givenBytes += bytes.byteLength;
    if (this.waiting.byteLength >= mostJoinedBytes && !this.isFull) this.flush();
    return !this.isFull;
  }

  /**
   * The socket has got rid of what it held.
   *
   * @returns whether it takes more.
   */
  private drained(): boolean {
    if (!this.isFull) return true;
    if ((this.transport?.writeBufferLength ?? 0) > 0) {
      // The library writes its rest in a microtask, which comes before this one.
      queueMicrotask(() => this.afterRest());
      return false;
    }
    this.isFull = false;
    this.askSocket();
    this.flush();
    return !this.isFull;
  }

  private afterRest(): void {
    if (!this.isFull || this.transport?.writableNeedsDrain !== false) return;
    // Nobody else tells the streams: the socket has room for more.
    this.connection.dispatchEvent(new Event("drain"));
  }

  /** Finds out what the kernel has taken of all that was written. */
  private askSocket(): void {
    const socket = this.transport?.socket;
    if (socket === undefined || socket.writableLength === 0) return this.take(this.writtenBytes);
    if (this.asksSocket) return;
    this.asksSocket = true;
    const upTo = this.writtenBytes;
    socket.write(nothing, (error) => {
      this.asksSocket = false;
      if (error != null || this.connection.status !== "open") return;
      this.take(upTo);
      if (!this.isFull && this.takenBytes < this.writtenBytes) this.askSocket();
    });
  }

  private take(upTo: number): void {
    if (upTo <= this.takenBytes) return;
    this.takenBytes = upTo;
    this.tell(upTo, true);
  }

  private tell(upTo: number, wasTaken: boolean): void {
    let count = 0;
    while (count < this.marks.length && this.marks[count]! <= upTo) count++;
    if (count === 0) return;
    this.marks.splice(0, count);
    for (const told of this.tolds.splice(0, count)) told(wasTaken);
  }

  private end(): void {
    this.waiting = undefined;
    this.tell(Infinity, false);
  }
}

const byStream = new WeakMap<Stream, JoinedWrites>();

/** The writes of a stream's connection; to be called when the stream is created. */
export function setWritesOf(stream: Stream, writes: JoinedWrites): void {
  byStream.set(stream, writes);
}

/** The writes of a stream's connection; undefined where its multiplexer is none of ours. */
export function writesOf(stream: Stream): JoinedWrites | undefined {
  return byStream.get(stream);
}
