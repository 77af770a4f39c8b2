/** 128 KiB; a message that is missing for longer than so many others is given up. */
const mostBits = 2 ** 20;
const leastBits = 1024;

/** What became of an index that came in. */
export const arrivals = {
  /** For the first time. */
  first: 0,
  /** Not for the first time. */
  again: 1,
  /** Too far behind to tell. */
  unclassified: 2,
} as const;

export type Arrival = (typeof arrivals)[keyof typeof arrivals];

/**
 * Which indices of a sequence have come. Indices below `floor` have all come, or were given up; of
 * those from `floor` to the highest there is a bit each, in a ring that grows with the oldest hole
 * and is not there at all while everything comes in order.
 *
 * Cost: 100 bytes in order, at most 128 KiB.
 */
export class IndexRange {
  /** Lowest and highest index that came; −1 before the first. */
  lowest = -1;
  highest = -1;
  /** How many different ones came. */
  seen = 0;
  /** Runs of missing indices between the lowest and the highest. */
  holes = 0;

  private bits: Uint32Array | undefined;
  private floor = 0;
  /** Some below `floor` are missing and were given up. */
  private hasGivenUp = false;
  /** The one just below `floor` is one of them. */
  private isMissingBelow = false;

  /** Indices missing between the lowest and the highest. */
  get missing(): number {
    return this.seen === 0 ? 0 : this.highest - this.lowest + 1 - this.seen;
  }

  /** Takes an index, 0 to 2^53 − 1. */
  add(index: number): Arrival {
    if (this.seen === 0) {
      this.lowest = index;
      this.highest = index;
      this.floor = index + 1;
    } else if (index > this.highest) {
      this.addAbove(index);
    } else if (index >= this.floor) {
      if (this.has(index)) return arrivals.again;
      this.fill(index);
    } else if (index >= this.lowest) {
      return this.hasGivenUp ? arrivals.unclassified : arrivals.again;
    } else if (!this.addBelow(index)) {
      return arrivals.unclassified;
    }
    this.seen++;
    return arrivals.first;
  }

  private addAbove(index: number): void {
    const isNext = index === this.highest + 1;
    if (!isNext) this.holes++;
    if (isNext && this.floor === index) {
      this.floor = index + 1;
      this.isMissingBelow = false;
    } else {
      if (index - this.floor >= mostBits) this.giveUpBelow(index - mostBits + 1);
      this.makeRoom(index - this.floor + 1);
      this.set(index);
      this.highest = index;
      this.raiseFloor();
    }
    this.highest = index;
  }

  private fill(index: number): void {
    const hasLeft = index === this.floor ? !this.isMissingBelow : this.has(index - 1);
    const hasRight = this.has(index + 1);
    if (hasLeft && hasRight) this.holes--;
    else if (!hasLeft && !hasRight) this.holes++;
    this.set(index);
    this.raiseFloor();
  }

  /** An index below all others: their bits are needed again, where they are not too many. */
  private addBelow(index: number): boolean {
    if (index === this.lowest - 1) {
      this.lowest = index;
      return true;
    }
    if (this.hasGivenUp || this.highest - index >= mostBits) return false;
    this.makeRoom(this.highest - index);
    for (let came = this.lowest; came < this.floor; came++) this.set(came);
    this.holes++;
    this.lowest = index;
    this.floor = index + 1;
    return true;
  }

  private raiseFloor(): void {
    while (this.floor <= this.highest && this.has(this.floor)) {
      this.clear(this.floor);
      this.floor++;
      this.isMissingBelow = false;
    }
  }

  private giveUpBelow(floor: number): void {
    const end = Math.min(floor, this.highest + 1);
    for (let index = this.floor; index < end; index++) {
      this.isMissingBelow = !this.has(index);
      if (this.isMissingBelow) this.hasGivenUp = true;
      else this.clear(index);
    }
    if (floor > end) {
      this.hasGivenUp = true;
      this.isMissingBelow = true;
    }
    this.floor = floor;
    this.raiseFloor();
  }

  /** Makes the ring hold so many indices from `floor` on. */
  private makeRoom(count: number): void {
    const old = this.bits;
    const oldLength = old === undefined ? 0 : old.length * 32;
    if (count <= oldLength) return;
    let length = Math.max(leastBits, oldLength);
    while (length < count) length *= 2;
    const kept: number[] = [];
    if (old !== undefined) {
      for (let index = this.floor; index <= this.highest; index++) {
        if (this.has(index)) kept.push(index);
      }
    }
    this.bits = new Uint32Array(length / 32);
    for (const index of kept) this.set(index);
  }

  private has(index: number): boolean {
    const { bits } = this;
    if (bits === undefined) return false;
    const at = index % (bits.length * 32);
    return (bits[at >>> 5]! & (1 << (at & 31))) !== 0;
  }

  private set(index: number): void {
    const bits = this.bits!;
    const at = index % (bits.length * 32);
    bits[at >>> 5] = bits[at >>> 5]! | (1 << (at & 31));
  }

  private clear(index: number): void {
    const bits = this.bits!;
    const at = index % (bits.length * 32);
    bits[at >>> 5] = bits[at >>> 5]! & ~(1 << (at & 31));
  }
}
