import { lengthPrefixBytes, writeLengthPrefix } from "./framing.ts";

/** Frames are laid out in blocks of this size, or of their own where they are larger. */
const blockBytes = 256 * 1024;

/** Frames that the log starts with room for; a power of two, as is every size that it grows to. */
const firstRoom = 256;

/** What became of a message: how many readers it was handed to, of those that were to have it. */
export type FrameDone = (token: number, readers: number) => void;

/**
 * Messages as frames (a length, then the bytes), each encoded once for all its readers, in the order
 * of their coming. What lies side by side is sent as one piece of bytes, so that all messages of one
 * turn of the event loop cost one write a reader.
 *
 * A frame is counted from 0 for the life of the log, and forgotten when all readers that were to
 * have it have taken it or given it up. Costs 36 bytes a frame beside the frame itself.
 */
export class FrameLog {
  private blocks: (Uint8Array | undefined)[] = new Array(firstRoom);
  private starts = new Uint32Array(firstRoom);
  private ends = new Uint32Array(firstRoom);
  private tokens = new Float64Array(firstRoom);
  /** Readers that are still to take it, and those that have. */
  private outstanding = new Uint16Array(firstRoom);
  private taken = new Uint16Array(firstRoom);
  private block = new Uint8Array(0);
  private blockUsed = 0;
  private first = 0;
  private next = 0;
  private open = 0;
  private loggedBytes = 0;
  private loggedUpTo = new Float64Array(firstRoom);

  constructor(private readonly done: FrameDone) {}

  /** Number of the next frame. */
  get end(): number {
    return this.next;
  }

  /** Frames that some reader is still to take. */
  get unfinished(): number {
    return this.open;
  }

  /** Bytes of all frames before this one, for the life of the log; the frame must not be forgotten. */
  bytesBefore(frame: number): number {
    if (frame === this.next) return this.loggedBytes;
    return this.loggedUpTo[frame & this.mask] ?? 0;
  }

  /**
   * Adds a message, of which it keeps a copy.
   *
   * @param readers how many are to have it; at least one.
   */
  append(message: Uint8Array, token: number, readers: number): void {
    if (this.next - this.first === this.tokens.length) this.grow();
    const frameBytes = lengthPrefixBytes(message.length) + message.length;
    if (this.block.length - this.blockUsed < frameBytes) {
      this.block = new Uint8Array(Math.max(blockBytes, frameBytes));
      this.blockUsed = 0;
    }
    const place = this.next & this.mask;
    const start = this.blockUsed;
    const end = start + frameBytes;
    this.block.set(message, writeLengthPrefix(this.block, start, message.length));
    this.blocks[place] = this.block;
    this.starts[place] = start;
    this.ends[place] = end;
    this.tokens[place] = token;
    this.outstanding[place] = readers;
    this.taken[place] = 0;
    this.loggedUpTo[place] = this.loggedBytes;
    this.blockUsed = end;
    this.loggedBytes += frameBytes;
    this.next++;
    this.open++;
  }

  /**
   * How many frames from this one on lie side by side in memory.
   *
   * @param until a frame that no longer belongs to them.
   * @param mostBytes of all together, unless the first alone has more.
   */
  run(frame: number, until: number, mostBytes: number): number {
    const place = frame & this.mask;
    const block = this.blocks[place];
    const start = this.starts[place] ?? 0;
    let end = frame + 1;
    while (
      end < until && this.blocks[end & this.mask] === block &&
      (this.ends[end & this.mask] ?? 0) - start <= mostBytes
    ) end++;
    return end - frame;
  }

  /** The bytes of frames that lie side by side. */
  bytes(frame: number, frames: number): Uint8Array {
    const place = frame & this.mask;
    const block = this.blocks[place];
    if (block === undefined || frame < this.first || frame + frames > this.next) {
      throw new RangeError(`frame ${frame} is not in the log of ${this.first} to ${this.next}`);
    }
    return block.subarray(this.starts[place], this.ends[(frame + frames - 1) & this.mask]);
  }

  /** A reader has taken these frames, or will never take them. */
  release(from: number, to: number, wasTaken: boolean): void {
    for (let frame = from; frame < to; frame++) {
      const place = frame & this.mask;
      const left = (this.outstanding[place] ?? 0) - 1;
      this.outstanding[place] = left;
      if (wasTaken) this.taken[place] = (this.taken[place] ?? 0) + 1;
      if (left > 0) continue;
      this.open--;
      this.blocks[place] = undefined;
      this.done(this.tokens[place] ?? 0, this.taken[place] ?? 0);
    }
    while (this.first < this.next && this.outstanding[this.first & this.mask] === 0) this.first++;
  }

  private get mask(): number {
    return this.tokens.length - 1;
  }

  private grow(): void {
    const room = 2 * this.tokens.length;
    const { blocks, starts, ends, tokens, outstanding, taken, loggedUpTo, mask } = this;
    this.blocks = new Array(room);
    this.starts = new Uint32Array(room);
    this.ends = new Uint32Array(room);
    this.tokens = new Float64Array(room);
    this.outstanding = new Uint16Array(room);
    this.taken = new Uint16Array(room);
    this.loggedUpTo = new Float64Array(room);
    for (let frame = this.first; frame < this.next; frame++) {
      const from = frame & mask;
      const to = frame & (room - 1);
      this.blocks[to] = blocks[from];
      this.starts[to] = starts[from] ?? 0;
      this.ends[to] = ends[from] ?? 0;
      this.tokens[to] = tokens[from] ?? 0;
      this.outstanding[to] = outstanding[from] ?? 0;
      this.taken[to] = taken[from] ?? 0;
      this.loggedUpTo[to] = loggedUpTo[from] ?? 0;
    }
  }
}
