/*
 * The bucket layout of HdrHistogram (https://github.com/HdrHistogram/HdrHistogram, class
 * AbstractHistogram) for 3 significant digits and a lowest discernible value of 1: values up to 2047
 * have a bucket each; every further power of two has 1024 buckets.
 */

/** Three significant digits: at worst one part in 1024. */
export const significantDigits = 3;

/** One hour. */
export const highestTrackableNs = 3_600_000_000_000;

/** Buckets from 0 to `highestTrackableNs`; as many as HdrHistogram itself allocates. */
export const countsLength = 33 * 1024;

/** The bucket of a whole number from 0 to `highestTrackableNs`. */
export function indexOf(ns: number): number {
  if (ns <= 0x7fff_ffff) {
    const shift = 21 - Math.clz32(ns | 2047);
    return (shift << 10) + (ns >>> shift);
  }
  // Above 31 bits: find the magnitude in the upper part, which fits in an integer.
  const upper = Math.floor(ns / 2 ** 20);
  const shift = 41 - Math.clz32(upper);
  return shift * 1024 + Math.floor(ns / 2 ** shift);
}

/** Smallest value that falls into the bucket. */
export function lowestEquivalentNs(index: number): number {
  if (index < 2048) return index;
  const shift = (index >>> 10) - 1;
  return (1024 + (index & 1023)) * 2 ** shift;
}

/** Largest whole number that falls into the bucket. */
export function highestEquivalentNs(index: number): number {
  return index < 2048 ? index : lowestEquivalentNs(index) + 2 ** ((index >>> 10) - 1) - 1;
}

/** A value that stands for all of a bucket. */
export function middleOf(index: number): number {
  const lowestNs = lowestEquivalentNs(index);
  const middleNs = lowestNs + Math.floor((highestEquivalentNs(index) - lowestNs) / 2);
  return Math.min(middleNs, highestTrackableNs);
}
