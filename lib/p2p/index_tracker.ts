import { type Arrival, arrivals, IndexRange } from "./index_range.ts";
import type { SenderCounts } from "./snapshot.ts";

/** One run of a sender: from its start, at index 0, to its end. */
class SenderRun {
  readonly range = new IndexRange();
  /** Time of the message with the lowest index. */
  lowestTimeNs = NaN;
  /** Earliest and latest time of all its messages. */
  earliestNs = Infinity;
  latestNs = -Infinity;
  /** First arrivals that came after a higher index. */
  outOfOrder = 0;

  add(index: number, timeNs: number): Arrival {
    const { range } = this;
    const { lowest, highest } = range;
    const arrival = range.add(index);
    if (timeNs < this.earliestNs) this.earliestNs = timeNs;
    if (timeNs > this.latestNs) this.latestNs = timeNs;
    if (arrival !== arrivals.first) return arrival;
    if (range.lowest !== lowest) this.lowestTimeNs = timeNs;
    if (index < highest) this.outOfOrder++;
    return arrival;
  }
}

/**
 * Follows the indices of one sender, known by the id in its messages.
 *
 * A sender that is restarted counts from 0 again. Its messages would look like duplicates; what tells
 * them apart is the time in the header, which rises with the index within a run. So a new run has
 * begun with a message that has no higher index than one before, and a later time than all before;
 * or, where the sender's clock went back meanwhile, that has the first index again with another time.
 * Stragglers of the run before still count in theirs.
 *
 * Cost: 1 KB while messages come in order, at most 128 KiB for each of the last two runs.
 */
export class IndexTracker {
  readonly counts: SenderCounts;
  private current = new SenderRun();
  private previous: SenderRun | undefined;
  /** Of runs that nothing is expected of any more. */
  private settledPending = 0;
  private settledGaps = 0;

  constructor(sender: number) {
    this.counts = {
      sender,
      received: 0,
      gaps: 0,
      pending: 0,
      abandoned: 0,
      duplicates: 0,
      outOfOrder: 0,
      unclassified: 0,
      restarts: 0,
      firstIndex: -1,
      lastIndex: -1,
      delaySumNs: 0,
      delayMinNs: Infinity,
      delayMaxNs: -Infinity,
    };
  }

  /**
   * Takes a message.
   *
   * @param index 0 to 2^53 − 1.
   * @param timeNs the time in its header, by any origin that stays the same.
   * @param delayNs its one-way delay as the clocks show it.
   */
  add(index: number, timeNs: number, delayNs: number): Arrival {
    const { counts } = this;
    const run = this.runOf(index, timeNs);
    const before = run.outOfOrder;
    const arrival = run.add(index, timeNs);
    if (arrival === arrivals.first) {
      counts.received++;
      counts.outOfOrder += run.outOfOrder - before;
      counts.delaySumNs += delayNs;
      if (delayNs < counts.delayMinNs) counts.delayMinNs = delayNs;
      if (delayNs > counts.delayMaxNs) counts.delayMaxNs = delayNs;
      this.renewCounts();
    } else if (arrival === arrivals.again) {
      counts.duplicates++;
    } else {
      counts.unclassified++;
    }
    return arrival;
  }

  /** Forgets the ranges; what is pending now is abandoned. The sender begins at 0 again. */
  reset(): void {
    this.counts.abandoned += this.counts.pending;
    this.current = new SenderRun();
    this.previous = undefined;
    this.settledPending = 0;
    this.settledGaps = 0;
    this.renewCounts();
  }

  private runOf(index: number, timeNs: number): SenderRun {
    const { current, previous } = this;
    const { range } = current;
    if (range.seen === 0 || index === range.highest + 1) return current;
    const isBehind = index <= range.highest;
    if (isBehind && timeNs > current.latestNs) return this.begin(current);
    if (index === range.lowest && timeNs !== current.lowestTimeNs) {
      // Where times do not rise from run to run, they do not tell stragglers either.
      return previous !== undefined && timeNs <= previous.latestNs
        ? previous
        : this.begin(undefined);
    }
    if (previous === undefined || timeNs >= current.earliestNs) return current;
    return timeNs <= previous.latestNs || !isBehind ? previous : current;
  }

  /** @param straggling the run that messages may still come of, where they can be told. */
  private begin(straggling: SenderRun | undefined): SenderRun {
    this.counts.restarts++;
    for (const run of [this.previous, straggling === undefined ? this.current : undefined]) {
      this.settledPending += run?.range.missing ?? 0;
      this.settledGaps += run?.range.holes ?? 0;
    }
    this.previous = straggling;
    this.current = new SenderRun();
    return this.current;
  }

  private renewCounts(): void {
    const { counts, previous } = this;
    const { range } = this.current;
    counts.pending = this.settledPending + range.missing + (previous?.range.missing ?? 0);
    counts.gaps = this.settledGaps + range.holes + (previous?.range.holes ?? 0);
    counts.firstIndex = range.lowest;
    counts.lastIndex = range.highest;
  }
}
