import type { Random } from "./random.ts";
import type { PlannedSegment, Schedule } from "./schedule.ts";
import { connectionsOf, type Share, wholeOf } from "./share.ts";

export type ArrivalsKind = "poisson" | "uniform";

/**
 * When the messages of an open loop are due: a pure function of schedule, kind and seed, walked one
 * message at a time. The clock has no part in it.
 *
 * Both kinds walk along the cumulative count of the schedule (the integral of its rate) and turn
 * counts into times by its inverse.
 * - `uniform`: message k is due where the count is k, so message 0 at the start and message k of a
 *   level rate at k / rate. It is computed from k: no error adds up.
 * - `poisson`: counts are a Poisson process of rate 1, with exponential gaps. Its image under the
 *   inverse is the Poisson process with the schedule's rate, slopes included: Çinlar,
 *   "Introduction to Stochastic Processes", 1975, chapter 4.7.
 *
 * Of a share of the plan these are its own messages only. With `uniform` message k belongs to
 * connection k mod all connections, and so to the share which has that: the messages of all shares
 * are the plan again, at the same times. With `poisson` each share has a process of its own, as fast
 * as it has connections: independent Poisson processes add up to one (Çinlar, chapter 4.4).
 *
 * In a part without rate nothing is due: a message that falls on its start comes at its end.
 * Allocates nothing after the constructor.
 */
export class Arrivals {
  /** When the next message is due, in ns from the plan's start; Infinity when there is none. */
  nextNs = 0;
  /** The interval before it: from the message before, or from the plan's start. */
  gapNs = 0;

  /** The cumulative count at which the next message is due. */
  private count = 0;
  private readonly isPoisson: boolean;
  /** How far the count goes on, on average, from a message of this share to its next. */
  private readonly meanStep: number;
  /** How far it goes on exactly (`uniform`): within a turn of its connections, and to the next turn. */
  private readonly step: number;
  private readonly stepToNextTurn: number;
  private readonly placesInTurn: number;
  private place = 0;
  private readonly segments: readonly PlannedSegment[];
  private segmentIndex = 0;
  // The present segment, unpacked for the fast path.
  private startNs = 0;
  private ratePerSecond = 0;
  private periodNs = 0;
  private slopePerSecond2 = 0;
  private countBefore = 0;
  private segmentCount = 0;

  /** @param random only `poisson` draws from it, once per message. */
  constructor(
    schedule: Schedule,
    kind: ArrivalsKind,
    private readonly random: Random,
    share: Share = wholeOf(1),
  ) {
    this.isPoisson = kind === "poisson";
    this.placesInTurn = connectionsOf(share);
    this.meanStep = share.connections / this.placesInTurn;
    this.step = share.of;
    this.stepToNextTurn = share.connections - (this.placesInTurn - 1) * share.of;
    // Where nothing is due: no message can fall into it, and the walk need not look at it.
    this.segments = schedule.planned.filter((segment) => segment.count > 0);
    this.enter(0);
    this.count = this.isPoisson ? random.exponential() * this.meanStep : share.index;
    this.nextNs = this.gapNs = this.dueNs();
  }

  /** Moves on to the next message. Costs about 15 ns. */
  advance(): void {
    this.count += this.isPoisson ? this.random.exponential() * this.meanStep : this.wholeStep();
    const into = this.count - this.countBefore;
    const dueNs = this.slopePerSecond2 === 0 && into < this.segmentCount
      ? this.startNs + into * this.periodNs
      : this.dueNs();
    this.gapNs = dueNs === Infinity ? Infinity : dueNs - this.nextNs;
    this.nextNs = dueNs;
  }

  private wholeStep(): number {
    if (++this.place < this.placesInTurn) return this.step;
    this.place = 0;
    return this.stepToNextTurn;
  }

  /** The inverse of the cumulative count, walking on to the segment that holds it. */
  private dueNs(): number {
    while (this.count - this.countBefore >= this.segmentCount) {
      if (this.segmentIndex >= this.segments.length) return Infinity;
      this.enter(this.segmentIndex + 1);
    }
    const { ratePerSecond: rate, slopePerSecond2: slope } = this;
    const into = this.count - this.countBefore;
    if (into === 0) return this.startNs;
    if (slope === 0) return this.startNs + into * this.periodNs;
    // rate·s + slope·s²/2 = into, solved in the form that loses no digits for small slopes.
    const root = Math.sqrt(Math.max(0, rate * rate + 2 * slope * into));
    return this.startNs + ((2 * into) / (rate + root)) * 1e9;
  }

  /** Past the last segment there is an endless one in which nothing is due. */
  private enter(index: number): void {
    const segment = this.segments[index];
    this.segmentIndex = index;
    this.startNs = segment?.startNs ?? Infinity;
    this.ratePerSecond = segment?.ratePerSecond ?? 0;
    this.periodNs = 1e9 / this.ratePerSecond;
    this.slopePerSecond2 = segment?.slopePerSecond2 ?? 0;
    this.countBefore = segment?.countBefore ?? 0;
    this.segmentCount = segment?.count ?? 0;
  }
}
