import type { ConnectionPool } from "./connection_pool.ts";
import { type MessageSource, notDue } from "./message_source.ts";
import type { Share } from "./share.ts";

/** Turns are no further apart than this, so that a connection that has opened soon has one. */
const longestGapMs = 4;
const mostBits = 30;

/**
 * Every connection sends once per interval, while nobody knows how many there will be. Phases that
 * are spread over all ids would have the first few send in one burst; here those of the ids below
 * any k are spread evenly over the interval, and a connection keeps its phase for good.
 *
 * The phase of an id are its bits in reverse, as a fraction of the interval (the van der Corput
 * sequence): the ids below 2^m have the 2^m turns of an even grid, and the next id halves one of its
 * gaps. So the grid is only as fine as the number of connections attempted needs, and each turn
 * costs about 10 ns.
 */
export class GrowingIntervalSource implements MessageSource {
  private readonly intervalNs: number;
  /** The grid has 2^bits turns. */
  private bits: number;
  private interval = 0;
  /** Place of the next turn in its interval. */
  private turn = 0;

  /** Other generators of the same load take their turns between these. */
  private readonly shiftNs: number;

  constructor(intervalMs: number, private readonly pool: ConnectionPool, share: Share) {
    this.intervalNs = intervalMs * 1e6;
    this.shiftNs = Math.min(longestGapMs * 1e6, this.intervalNs) * share.index / share.of;
    this.bits = Math.min(mostBits, Math.max(0, Math.ceil(Math.log2(intervalMs / longestGapMs))));
  }

  get nextNs(): number {
    return (this.interval + this.turn / 2 ** this.bits) * this.intervalNs + this.shiftNs;
  }

  get gapNs(): number {
    return this.intervalNs;
  }

  take(): number {
    const id = reversed(this.turn, this.bits);
    if (++this.turn === 2 ** this.bits) {
      this.turn = 0;
      this.interval++;
    }
    while (2 ** this.bits < this.pool.attempted && this.bits < mostBits) this.refine();
    return id < this.pool.attempted && this.pool.isOpen(id) ? id : notDue;
  }

  /** Halves the gaps; the next turn is the new one between the last and the one that was next. */
  private refine(): void {
    this.bits++;
    if (this.turn > 0) {
      this.turn = this.turn * 2 - 1;
    } else {
      this.interval--;
      this.turn = 2 ** this.bits - 1;
    }
  }

  expectedCount(fromNs: number, toNs: number): number {
    return toNs > fromNs ? this.pool.openCount * (toNs - fromNs) / this.intervalNs : 0;
  }
}

/** The lowest `bits` bits of a number in reverse order. */
function reversed(value: number, bits: number): number {
  if (bits === 0) return 0;
  let v = value;
  v = ((v >>> 1) & 0x55555555) | ((v & 0x55555555) << 1);
  v = ((v >>> 2) & 0x33333333) | ((v & 0x33333333) << 2);
  v = ((v >>> 4) & 0x0f0f0f0f) | ((v & 0x0f0f0f0f) << 4);
  v = ((v >>> 8) & 0x00ff00ff) | ((v & 0x00ff00ff) << 8);
  v = (v >>> 16) | (v << 16);
  return v >>> (32 - bits);
}
