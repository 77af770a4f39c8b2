import { type Hole, Holes } from "./holes.ts";

/** What a subscriber got from a publisher, over all subscribers of this process. */
export interface PublisherReceipts {
  /** Each publication once. */
  received: number;
  /** Of those, after one with a higher counter. */
  outOfOrder: number;
  /** Further copies. */
  duplicated: number;
  /** Published while the subscriber was not connected, as far as its gap in the counters shows. */
  missedAway: number;
  /** Not received, though the router acknowledged them and the subscriber was connected. */
  lost: number;
}

/** What a publisher has done in the end. */
export interface PublisherTotal {
  /** Publications have the counters 0 … published - 1. */
  readonly published: number;
  /** Counters of those that the router did not acknowledge, in rising order. */
  readonly unacknowledged: Float64Array;
}

/** `next` of a pair of which nothing has come since the subscriber is subscribed again. */
const unknown = 0xffff_ffff;
/**
 * What every subscriber of this process has of every publisher: each publication has a number, counted
 * by its publisher from 0, and each pair of subscriber and publisher knows which one comes next and
 * which ones are missing. So every event is known to be new, overtaken or a duplicate, exactly.
 *
 * A pair costs 4 bytes, and a publisher 32, beside the holes.
 */
export class CounterBook {
  readonly #publishers: number;
  readonly #next: Uint32Array;
  /** By pair: subscriber · publishers + publisher. */
  readonly #holes = new Holes();
  /** What was published while the subscriber was away: it may still come, late. */
  readonly #awayHoles = new Holes();
  /** Counters in holes that there was no room for. */
  readonly #unlisted: Float64Array;
  readonly #received: Float64Array;
  readonly #outOfOrder: Float64Array;
  readonly #duplicated: Float64Array;
  readonly #missedAway: Float64Array;
  readonly #isAway: Uint8Array;
  /** What came next when a subscriber went away, by publisher; from its return on. */
  readonly #before = new Map<number, Uint32Array>();
  readonly #totals = { received: 0, outOfOrder: 0, duplicated: 0, missedAway: 0 };
  #missing = 0;

  constructor(readonly subscribers: number, publishers: number) {
    this.#publishers = publishers;
    this.#next = new Uint32Array(subscribers * publishers);
    this.#received = new Float64Array(publishers);
    this.#outOfOrder = new Float64Array(publishers);
    this.#duplicated = new Float64Array(publishers);
    this.#missedAway = new Float64Array(publishers);
    this.#unlisted = new Float64Array(publishers);
    this.#isAway = new Uint8Array(subscribers);
  }

  /** A publication has come; returns whether for the first time. */
  receive(subscriber: number, publisher: number, counter: number): boolean {
    const pair = subscriber * this.#publishers + publisher;
    const next = this.#next[pair]!;
    if (counter === next) {
      this.#next[pair] = counter + 1;
      this.#received[publisher]!++;
      this.#totals.received++;
      return true;
    }
    return this.#receiveOther(pair, publisher, next, counter);
  }

  #receiveOther(pair: number, publisher: number, next: number, counter: number): boolean {
    const totals = this.#totals;
    const before = next === unknown ? this.#nextBefore(pair, publisher) : -1;
    if (before >= 0 && counter >= before) {
      this.#next[pair] = counter + 1;
      if (counter > before) this.#awayHoles.add(pair, before, counter);
      this.#missedAway[publisher]! += counter - before;
      totals.missedAway += counter - before;
    } else if (before < 0 && counter > next) {
      this.#open(pair, next, counter);
      this.#next[pair] = counter + 1;
    } else if (this.#holes.fill(pair, counter)) {
      this.#missing--;
      this.#outOfOrder[publisher]!++;
      totals.outOfOrder++;
    } else if (this.#awayHoles.fill(pair, counter)) {
      this.#missedAway[publisher]!--;
      totals.missedAway--;
      this.#outOfOrder[publisher]!++;
      totals.outOfOrder++;
    } else {
      this.#duplicated[publisher]!++;
      totals.duplicated++;
      return false;
    }
    this.#received[publisher]!++;
    totals.received++;
    return true;
  }

  #nextBefore(pair: number, publisher: number): number {
    return this.#before.get((pair - publisher) / this.#publishers)![publisher]!;
  }

  /** The subscriber has lost its connection: what is published now it cannot have. */
  away(subscriber: number): void {
    this.#isAway[subscriber] = 1;
  }

  /** It is subscribed again. What it has missed of a publisher shows with that one's next event. */
  back(subscriber: number): void {
    if (this.#isAway[subscriber] === 0) return;
    this.#isAway[subscriber] = 0;
    const from = subscriber * this.#publishers;
    const row = this.#next.subarray(from, from + this.#publishers);
    const earlier = this.#before.get(subscriber);
    this.#before.set(
      subscriber,
      row.map((next, publisher) => next === unknown ? earlier![publisher]! : next),
    );
    row.fill(unknown);
  }

  /** Received by all subscribers, so far. */
  get totals(): Readonly<{
    received: number;
    outOfOrder: number;
    duplicated: number;
    missedAway: number;
  }> {
    return this.#totals;
  }

  /** Counters that have been passed over and have not come yet. */
  get missing(): number {
    return this.#missing;
  }

  /** Whether every subscriber that is connected has every publication that was acknowledged. */
  isComplete(totals: readonly PublisherTotal[]): boolean {
    for (let subscriber = 0; subscriber < this.subscribers; subscriber++) {
      if (this.#isAway[subscriber] === 1) continue;
      const row = subscriber * this.#publishers;
      for (let publisher = 0; publisher < this.#publishers; publisher++) {
        const next = this.#next[row + publisher]!;
        const { published, unacknowledged } = totals[publisher]!;
        if (next === unknown || next >= published) continue;
        if (published - next > countBetween(unacknowledged, next, published)) return false;
      }
    }
    return this.#missing === 0 || this.lostInHoles(totals) === 0;
  }

  /**
   * What lies in holes and was acknowledged: lost, or overtaken and still on its way. What comes last of a
   * publisher is in no hole yet.
   */
  lostInHoles(totals: readonly PublisherTotal[]): number {
    let lost = 0;
    for (const count of this.#unlisted) lost += count;
    for (const [pair, holes] of this.#holes) {
      const { unacknowledged } = totals[pair % this.#publishers]!;
      for (const { from, to } of holes) lost += to - from - countBetween(unacknowledged, from, to);
    }
    return lost;
  }

  /**
   * What of the publications from one counter to before another, by publisher, is lost, as `settle`
   * counts it; without holes that there was no room for.
   */
  lostBetween(
    totals: readonly PublisherTotal[],
    from: ArrayLike<number>,
    to: ArrayLike<number>,
  ): number {
    let lost = 0;
    for (let pair = 0; pair < this.#next.length; pair++) {
      const publisher = pair % this.#publishers;
      const total = totals[publisher]!;
      for (const hole of this.#lostRanges(pair, total)) {
        const first = Math.max(hole.from, from[publisher]!);
        const end = Math.min(hole.to, to[publisher]!);
        if (first < end) lost += end - first - countBetween(total.unacknowledged, first, end);
      }
    }
    return lost;
  }

  /** Where a subscriber that was connected lacks publications; also those not acknowledged. */
  #lostRanges(pair: number, { published }: PublisherTotal): readonly Hole[] {
    const holes = this.#holes.of(pair);
    const next = this.#next[pair]!;
    const subscriber = Math.floor(pair / this.#publishers);
    if (next === unknown || next >= published || this.#isAway[subscriber] === 1) return holes;
    return [...holes, { from: next, to: published }];
  }

  /**
   * How the books stand when everything that could come has come, by publisher. Holes that there was
   * no room for count as lost, in full.
   */
  settle(totals: readonly PublisherTotal[]): PublisherReceipts[] {
    const receipts = totals.map((_, publisher): PublisherReceipts => ({
      received: this.#received[publisher]!,
      outOfOrder: this.#outOfOrder[publisher]!,
      duplicated: this.#duplicated[publisher]!,
      missedAway: this.#missedAway[publisher]!,
      lost: this.#unlisted[publisher]!,
    }));
    for (let subscriber = 0; subscriber < this.subscribers; subscriber++) {
      for (let publisher = 0; publisher < this.#publishers; publisher++) {
        this.#settlePair(subscriber, publisher, totals[publisher]!, receipts[publisher]!);
      }
    }
    return receipts;
  }

  #settlePair(
    subscriber: number,
    publisher: number,
    { published, unacknowledged }: PublisherTotal,
    receipts: PublisherReceipts,
  ): void {
    const pair = subscriber * this.#publishers + publisher;
    const total = { published, unacknowledged };
    for (const { from, to } of this.#lostRanges(pair, total)) {
      receipts.lost += to - from - countBetween(unacknowledged, from, to);
    }
    const isBack = this.#next[pair]! !== unknown;
    if (isBack && this.#isAway[subscriber] === 0) return;
    const next = isBack ? this.#next[pair]! : this.#nextBefore(pair, publisher);
    receipts.missedAway += Math.max(0, published - next);
  }

  #open(pair: number, from: number, to: number): void {
    this.#missing += to - from;
    if (!this.#holes.add(pair, from, to)) this.#unlisted[pair % this.#publishers]! += to - from;
  }
}

/** How many of the sorted numbers lie in [from, to). */
function countBetween(sorted: Float64Array, from: number, to: number): number {
  return lowerBound(sorted, to) - lowerBound(sorted, from);
}

function lowerBound(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
