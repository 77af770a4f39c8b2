/**
 * How far the clock of a peer is ahead of ours, from exchanges of four timestamps: t1 our clock at
 * the request, t2 and t3 the peer's at its arrival and at the answer, t4 ours at the answer's
 * arrival. With d1 and d2 the unknown times on the way, both ≥ 0,
 *
 *     t2 = t1 + offset + d1,   t4 = t3 − offset + d2
 *
 * so offset = ((t2 − t1) + (t3 − t4)) / 2 − (d1 − d2) / 2, and |d1 − d2| ≤ d1 + d2, which is the
 * round trip (t4 − t1) − (t3 − t2). The estimate is right to within half the round trip however
 * unequal the two ways are. (RFC 5905, section 8, "on-wire protocol", and F. Cristian,
 * "Probabilistic clock synchronization", 1989.) Timestamps that are taken late, after a busy event
 * loop, only lengthen the round trip: the bound stays true.
 *
 * Of the last exchanges the one with the smallest bound counts, where each bound grows by
 * {@linkcode driftPerSecond} of the time since: RFC 5905's "clock filter" with its dispersion.
 */

/**
 * How much two clocks may drift apart: 100 µs in a second, 50 parts per million each way, which is
 * what quartz oscillators are sold with. RFC 5905 takes 15 for one clock (PHI).
 */
export const driftPerSecond = 100e-6;

/** Exchanges of which the best is chosen. */
const windowSize = 64;

/** Older exchanges tell nothing that a new one would not tell better. */
const windowNs = 60e9;

export interface OffsetEstimate {
  /** The peer's clock minus ours, in nanoseconds. */
  readonly offsetNs: number;
  /** The true offset is within `offsetNs` ± this. */
  readonly boundNs: number;
}

/**
 * The estimate for one peer. A step of one of the clocks shows as an exchange that contradicts the
 * earlier ones, and those are forgotten; until that exchange nobody can know of it.
 *
 * Costs 1.5 KB.
 */
export class OffsetEstimator {
  readonly #offsetNs = new Float64Array(windowSize);
  readonly #halfRoundTripNs = new Float64Array(windowSize);
  readonly #takenAtNs = new Float64Array(windowSize);
  /** Place of the next exchange; the newest `#count` before it are valid. */
  #next = 0;
  #count = 0;

  /**
   * @param t1Ns nanoseconds since the epoch by our clock, as are all by their clock.
   * @param nowNs a monotonic instant, at which t4 was taken.
   * @returns whether the exchange counts: not when a clock was set back during it, which shows as
   * an answer sent before its request came or a negative round trip.
   */
  add(t1Ns: bigint, t2Ns: bigint, t3Ns: bigint, t4Ns: bigint, nowNs: number): boolean {
    const roundTripNs = Number((t4Ns - t1Ns) - (t3Ns - t2Ns));
    if (roundTripNs < 0 || t3Ns < t2Ns) return false;
    const offsetNs = Number((t2Ns - t1Ns) + (t3Ns - t4Ns)) / 2;
    const known = this.at(nowNs);
    if (
      known !== undefined &&
      Math.abs(known.offsetNs - offsetNs) > known.boundNs + roundTripNs / 2
    ) {
      this.#count = 0;
    }
    this.#offsetNs[this.#next] = offsetNs;
    this.#halfRoundTripNs[this.#next] = roundTripNs / 2;
    this.#takenAtNs[this.#next] = nowNs;
    this.#next = (this.#next + 1) % windowSize;
    this.#count = Math.min(this.#count + 1, windowSize);
    return true;
  }

  /** What is known at a monotonic instant; nothing before the first exchange. */
  at(nowNs: number): OffsetEstimate | undefined {
    let best = -1;
    let boundNs = Infinity;
    for (let back = 1; back <= this.#count; back++) {
      const place = (this.#next - back + windowSize) % windowSize;
      const ageNs = nowNs - (this.#takenAtNs[place] ?? 0);
      // The newest exchange counts however old it is: its bound says what it is worth.
      if (ageNs > windowNs && back > 1) break;
      const placeBoundNs = (this.#halfRoundTripNs[place] ?? 0) + ageNs * driftPerSecond;
      if (placeBoundNs >= boundNs) continue;
      boundNs = placeBoundNs;
      best = place;
    }
    if (best < 0) return undefined;
    return { offsetNs: this.#offsetNs[best] ?? 0, boundNs };
  }
}
