/**
 * Which window updates of yamux are worth a frame. The library gives back what it has read after
 * every frame; a peer that has most of its window left gains nothing from that. Here an update waits
 * until a quarter of the smallest window has been read, and goes out as the sum of all that waited.
 */

/** The window of every stream at its start (the specification of yamux). */
const firstWindowBytes = 256 * 1024;

/** Read bytes that may wait to be given back. */
const mostReadBytes = firstWindowBytes / 4;

interface Waiting {
  /** To be given back, what a window has grown by included. */
  bytes: number;
  /** How much of that the peer has used up. */
  readBytes: number;
  /** The peer may still have the first window only. */
  isFirst: boolean;
}

/** The updates of all streams of one connection. */
export class WindowUpdates {
  private readonly streams = new Map<number, Waiting>();

  /**
   * @param bytes of an update that is due now.
   * @returns bytes of the update to send now; 0 where it waits.
   */
  due(stream: number, bytes: number): number {
    let waiting = this.streams.get(stream);
    if (waiting === undefined) {
      waiting = { bytes: 0, readBytes: 0, isFirst: true };
      this.streams.set(stream, waiting);
    }
    const read = this.readBytesOf(bytes, waiting.isFirst);
    waiting.bytes += bytes;
    waiting.readBytes += read;
    if (bytes > mostReadBytes) waiting.isFirst = false;
    if (waiting.readBytes < mostReadBytes) return 0;
    const sum = waiting.bytes;
    waiting.bytes = 0;
    waiting.readBytes = 0;
    waiting.isFirst = false;
    return sum;
  }

  /** Streams that something is known of. */
  get size(): number {
    return this.streams.size;
  }

  /** Forgets the streams that are not among these. */
  retain(streams: ReadonlySet<number>): void {
    for (const stream of this.streams.keys()) {
      if (!streams.has(stream)) this.streams.delete(stream);
    }
  }

  /**
   * How much of an update the peer has used up; all of it where that is not certain. The library
   * doubles a window when it is read fast: the first time from the first window, of which a peer
   * cannot have used more than it had.
   */
  private readBytesOf(bytes: number, isFirst: boolean): number {
    const isFirstGrowth = isFirst && bytes > firstWindowBytes &&
      bytes < firstWindowBytes + mostReadBytes;
    return isFirstGrowth ? bytes - firstWindowBytes : bytes;
  }
}
