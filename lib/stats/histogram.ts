import { decodeCounts, encodeCounts } from "./hdr_encoding.ts";
import {
  countsLength,
  highestEquivalentNs,
  highestTrackableNs,
  indexOf,
  middleOf,
} from "./histogram_layout.ts";
import type { PackedHistogram } from "./packed_histogram.ts";

const maxUint32 = 0xffff_ffff;
const maxInt32 = 0x7fff_ffff;

/** What an encoding leaves out; it makes a decoded histogram exact again. */
export interface ExactFigures {
  readonly minNs: number;
  readonly maxNs: number;
  readonly meanNs: number;
  readonly clamped: number;
}

/** Where `pack` works: 540 KB, in workers only. */
let packing: Float64Array | undefined;

/**
 * Times in nanoseconds, counted in HdrHistogram's own buckets: three significant digits from 1 ns to
 * 1 hour. Minimum, maximum and sum are kept exactly (the sum up to 2^53, rounded beyond).
 *
 * Values are taken down to whole nanoseconds; negative ones count as 0, those above an hour as an
 * hour and in `clamped` too.
 *
 * Cost: 135 KB each. Everything but `record` walks only the buckets between minimum and maximum.
 */
export class Histogram {
  /** A bucket cannot overflow while the total fits in 32 bits; past that the counts are doubles. */
  #counts: Uint32Array | Float64Array = new Uint32Array(countsLength);
  #count = 0;
  #sumNs = 0;
  #minNs = Infinity;
  #maxNs = -1;
  #clamped = 0;

  /** How many values were recorded. */
  get count(): number {
    return this.#count;
  }

  /** How many of them were above an hour and count as an hour. */
  get clamped(): number {
    return this.#clamped;
  }

  /** Smallest value, exactly; NaN when empty. */
  get minNs(): number {
    return this.#count === 0 ? NaN : this.#minNs;
  }

  /** Largest value, exactly; NaN when empty. */
  get maxNs(): number {
    return this.#count === 0 ? NaN : this.#maxNs;
  }

  /** Sum of all values divided by their number; NaN when empty. */
  get meanNs(): number {
    return this.#count === 0 ? NaN : this.#sumNs / this.#count;
  }

  /** Sum of all values; 0 when empty. */
  get sumNs(): number {
    return this.#sumNs;
  }

  /**
   * Counts one value.
   *
   * @throws {RangeError} the value is NaN.
   */
  record(ns: number): void {
    if (ns >= 0 && ns <= maxInt32 && this.#count < maxUint32) {
      // The same as indexOf(), in integer arithmetic only.
      const value = ns | 0;
      const shift = 21 - Math.clz32(value | 2047);
      this.#countOne((shift << 10) + (value >>> shift), value);
    } else if (ns > maxInt32 && ns <= highestTrackableNs && this.#count < maxUint32) {
      const value = Math.floor(ns);
      this.#countOne(indexOf(value), value);
    } else {
      this.recordMany(ns, 1);
    }
  }

  #countOne(index: number, value: number): void {
    const counts = this.#counts;
    counts[index] = counts[index]! + 1;
    this.#count++;
    this.#sumNs += value;
    if (value < this.#minNs) this.#minNs = value;
    if (value > this.#maxNs) this.#maxNs = value;
  }

  /**
   * Counts the same value `times` times.
   *
   * @throws {RangeError} the value is NaN, or `times` is not a whole number from 0 up.
   */
  recordMany(ns: number, times: number): void {
    if (Number.isNaN(ns)) throw new RangeError("a histogram cannot record NaN nanoseconds");
    if (!Number.isSafeInteger(times) || times < 0) {
      throw new RangeError(`a histogram cannot record a value ${times} times`);
    }
    if (times === 0) return;
    if (ns > highestTrackableNs) this.#clamped += times;
    const value = Math.min(Math.max(Math.floor(ns), 0), highestTrackableNs);
    this.#makeRoomFor(times);
    const counts = this.#counts;
    const index = indexOf(value);
    counts[index] = counts[index]! + times;
    this.#count += times;
    this.#sumNs += value * times;
    if (value < this.#minNs) this.#minNs = value;
    if (value > this.#maxNs) this.#maxNs = value;
  }

  /** Adds everything that the other histogram has counted. */
  add(other: Histogram): void {
    if (other.#count === 0) return;
    this.#makeRoomFor(other.#count);
    const counts = this.#counts;
    const added = other.#counts;
    const last = indexOf(other.#maxNs);
    for (let index = indexOf(other.#minNs); index <= last; index++) {
      counts[index] = counts[index]! + added[index]!;
    }
    this.#count += other.#count;
    this.#sumNs += other.#sumNs;
    this.#clamped += other.#clamped;
    if (other.#minNs < this.#minNs) this.#minNs = other.#minNs;
    if (other.#maxNs > this.#maxNs) this.#maxNs = other.#maxNs;
  }

  /**
   * What was recorded after `earlier` was copied from this histogram. Its minimum, maximum and mean
   * are those of the buckets, except where they are those of the whole.
   */
  since(earlier: Histogram): Histogram {
    const later = new Histogram();
    if (this.#count === 0) return later;
    if (earlier.#count === 0) return this.copy();
    const counts = this.#counts;
    const before = earlier.#counts;
    const last = indexOf(this.#maxNs);
    for (let index = indexOf(this.#minNs); index <= last; index++) {
      const times = counts[index]! - before[index]!;
      if (times > 0) later.recordMany(middleOf(index), times);
    }
    if (later.#count === 0) return later;
    if (this.#minNs < earlier.#minNs) later.#minNs = this.#minNs;
    if (this.#maxNs > earlier.#maxNs) later.#maxNs = this.#maxNs;
    const sumNs = this.#sumNs - earlier.#sumNs;
    // Rounding of very large sums could lead out of the range that is possible.
    later.#sumNs = Math.min(Math.max(sumNs, 0), later.#maxNs * later.#count);
    later.#clamped = this.#clamped - earlier.#clamped;
    return later;
  }

  /** Empties the histogram; the memory is kept. */
  reset(): void {
    if (this.#count === 0) return;
    if (this.#counts instanceof Float64Array) this.#counts = new Uint32Array(countsLength);
    else this.#counts.fill(0, indexOf(this.#minNs), indexOf(this.#maxNs) + 1);
    this.#count = 0;
    this.#sumNs = 0;
    this.#minNs = Infinity;
    this.#maxNs = -1;
    this.#clamped = 0;
  }

  /** A histogram of its own with the same counts. */
  copy(): Histogram {
    const copy = new Histogram();
    if (this.#count === 0) return copy;
    if (this.#counts instanceof Float64Array) {
      copy.#counts = this.#counts.slice();
    } else {
      const first = indexOf(this.#minNs);
      copy.#counts.set(this.#counts.subarray(first, indexOf(this.#maxNs) + 1), first);
    }
    copy.#count = this.#count;
    copy.#sumNs = this.#sumNs;
    copy.#minNs = this.#minNs;
    copy.#maxNs = this.#maxNs;
    copy.#clamped = this.#clamped;
    return copy;
  }

  /**
   * The value that `percentile` percent of the values do not exceed, within the resolution of the
   * buckets (0.1 %) and never above the exact maximum. 0 is the minimum, 100 the maximum.
   *
   * @returns NaN when empty.
   */
  percentileNs(percentile: number): number {
    return this.percentilesNs([percentile])[0]!;
  }

  /**
   * Several percentiles in one walk.
   *
   * @param percentiles in ascending order.
   */
  percentilesNs(percentiles: readonly number[]): number[] {
    if (this.#count === 0) return percentiles.map(() => NaN);
    const counts = this.#counts;
    const found: number[] = [];
    let index = indexOf(this.#minNs);
    let reached = counts[index]!;
    // No closure: this walks up to 33,792 buckets, and variables of a closure are slow.
    for (const percentile of percentiles) {
      if (!(percentile > 0)) {
        found.push(this.#minNs);
      } else if (percentile >= 100) {
        found.push(this.#maxNs);
      } else {
        // 99.9 / 100 * 1000 is a little above 999 in doubles; without the margin, the next rank.
        const rank = Math.ceil((percentile / 100) * this.#count * (1 - 2 ** -50));
        while (reached < rank) reached += counts[++index]!;
        found.push(Math.min(highestEquivalentNs(index), this.#maxNs));
      }
    }
    return found;
  }

  /**
   * How many values are at or below each bound, within the resolution of the buckets: a bucket that
   * a bound cuts counts as below it.
   *
   * @param boundsNs in ascending order.
   */
  countsAtOrBelow(boundsNs: readonly number[]): number[] {
    if (this.#count === 0) return boundsNs.map(() => 0);
    const counts = this.#counts;
    const last = indexOf(this.#maxNs);
    let index = indexOf(this.#minNs);
    let reached = 0;
    const found: number[] = [];
    for (const boundNs of boundsNs) {
      const end = boundNs >= this.#maxNs ? last : boundNs >= 0 ? indexOf(Math.floor(boundNs)) : -1;
      while (index <= end) reached += counts[index++]!;
      found.push(reached);
    }
    return found;
  }

  /**
   * All of it as plain data, 16 bytes for each bucket that is not empty; 0.1 ms for 8,000 of them,
   * because it happens once a second in the middle of a measurement.
   */
  pack(): PackedHistogram {
    packing ??= new Float64Array(2 * countsLength);
    const counts = this.#counts;
    const pairs = packing;
    const last = this.#count === 0 ? -1 : indexOf(this.#maxNs);
    let end = 0;
    for (let index = last < 0 ? 0 : indexOf(this.#minNs); index <= last; index++) {
      const times = counts[index]!;
      if (times === 0) continue;
      pairs[end++] = index;
      pairs[end++] = times;
    }
    return {
      buckets: pairs.slice(0, end),
      sumNs: this.#sumNs,
      minNs: this.#minNs,
      maxNs: this.#maxNs,
      clamped: this.#clamped,
    };
  }

  /** Adds what `pack` made of another histogram, exactly. */
  addPacked({ buckets, sumNs, minNs, maxNs, clamped }: PackedHistogram): void {
    let added = 0;
    for (let at = 1; at < buckets.length; at += 2) added += buckets[at]!;
    if (added === 0) return;
    this.#makeRoomFor(added);
    const counts = this.#counts;
    for (let at = 0; at < buckets.length; at += 2) {
      const index = buckets[at]!;
      counts[index] = counts[index]! + buckets[at + 1]!;
    }
    this.#count += added;
    this.#sumNs += sumNs;
    this.#clamped += clamped;
    if (minNs < this.#minNs) this.#minNs = minNs;
    if (maxNs > this.#maxNs) this.#maxNs = maxNs;
  }

  /** HdrHistogram's V2 compressed encoding in base64, which every HdrHistogram library reads. */
  encode(): string {
    const first = this.#count === 0 ? 0 : indexOf(this.#minNs);
    const last = this.#count === 0 ? -1 : indexOf(this.#maxNs);
    return encodeCounts(this.#counts, first, last);
  }

  /**
   * Reads an encoding back. It holds buckets only: without `exact`, minimum, maximum and mean are
   * those of the buckets, within their resolution.
   *
   * @throws {FileError} the text is no such encoding, or has another resolution than `encode` writes.
   */
  static decode(text: string, exact?: ExactFigures): Histogram {
    const histogram = new Histogram();
    decodeCounts(text, (index, times) => histogram.recordMany(middleOf(index), times));
    if (exact !== undefined && histogram.#count > 0) histogram.#setExact(exact);
    return histogram;
  }

  /** Exact figures are believed only where the buckets do not contradict them. */
  #setExact(exact: ExactFigures): void {
    if (indexOf(exact.minNs) === indexOf(this.#minNs)) this.#minNs = exact.minNs;
    if (indexOf(exact.maxNs) === indexOf(this.#maxNs)) this.#maxNs = exact.maxNs;
    this.#clamped = Math.min(exact.clamped, this.#count);
    if (exact.meanNs >= this.#minNs && exact.meanNs <= this.#maxNs) {
      this.#sumNs = exact.meanNs * this.#count;
    }
  }

  #makeRoomFor(times: number): void {
    if (this.#count + times > maxUint32 && this.#counts instanceof Uint32Array) {
      this.#counts = Float64Array.from(this.#counts);
    }
  }
}
