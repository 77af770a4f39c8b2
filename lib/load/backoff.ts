import type { Share } from "./share.ts";

/** Bounds of the waits before a connection is opened again. */
export interface BackoffSettings {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Beyond this many doublings every wait is drawn from the whole range. */
const mostDoublings = 64;

/**
 * Jittered exponential backoff: the wait before try n (from 0) is drawn evenly from `firstMs` to
 * `firstMs` · 2^(n+1), at most to `lastMs`, so that connections that were lost together do not come
 * back together ("full jitter", https://aws.amazon.com/blogs/architecture, "Exponential Backoff And
 * Jitter", 2015).
 *
 * A wait is a function of seed, connection and try alone: in which order connections are lost changes
 * nothing.
 */
export class Backoff {
  private readonly firstNs: number;
  private readonly lastNs: number;

  /** @param share the connections are those of this share of a load; all where it is left out. */
  constructor(
    { firstMs, lastMs }: BackoffSettings,
    private readonly seed: number,
    private readonly share: Pick<Share, "index" | "of"> = { index: 0, of: 1 },
  ) {
    this.firstNs = firstMs * 1e6;
    this.lastNs = lastMs * 1e6;
  }

  /** The longest wait before this try, in nanoseconds. */
  ceilingNs(tryNumber: number): number {
    return Math.min(this.lastNs, this.firstNs * 2 ** Math.min(tryNumber + 1, mostDoublings));
  }

  /** The wait of a connection before this try, in nanoseconds. */
  waitNs(id: number, tryNumber: number): number {
    const { firstNs, share } = this;
    const number = share.index + id * share.of;
    return firstNs + jitter(this.seed, number, tryNumber) * (this.ceilingNs(tryNumber) - firstNs);
  }
}

/** A number in [0, 1), as good as random for each three. */
function jitter(seed: number, id: number, tryNumber: number): number {
  const mixed = mix(mix(mix(seed) ^ id) ^ Math.imul(tryNumber + 1, 0x9e3779b9));
  return mixed * 2 ** -32;
}

/** The finalizer of MurmurHash3 (Austin Appleby, public domain), away from its fixed point 0. */
function mix(value: number): number {
  let mixed = (value + 0x6a09e667) | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
