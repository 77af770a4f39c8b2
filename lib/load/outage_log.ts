import { keepOutage, type Outage, outageHoldMs, type OutageReport } from "../stats/outage.ts";
import type { ServerSpread } from "../stats/outage.ts";

const holdNs = outageHoldMs * 1e6;

/** Running counts, whose growth during an outage is put down to it. */
export interface OutageCounts {
  readonly unsent: number;
  readonly duplicated: number;
  readonly late: number;
}

/** What the log asks for when an outage begins and ends. */
export interface OutageSurroundings {
  counts(): OutageCounts;
  spread(): ServerSpread;
}

interface RunningOutage {
  readonly number: number;
  readonly countsBefore: OutageCounts;
  readonly before: ServerSpread;
  beganNs: number;
  connections: number;
  down: number;
  lostAgain: number;
  failedAttempts: number;
  /** Clock times; NaN while the level is not reached. */
  back50Ns: number;
  back99Ns: number;
  backAllNs: number;
  longestGapNs: number;
  lost: number;
  dropped: number;
}

/**
 * The outages of a run: see `Outage` for what its figures mean. Told of each connection that goes down
 * and comes back.
 *
 * A connection costs 20 bytes.
 */
export class OutageLog {
  private startNs = 0;
  private total = 0;
  private readonly list: Outage[] = [];
  private current: RunningOutage | undefined;
  private isFrozen = false;
  /** Since when a connection is or was down, when it came back, and in which outage that was. */
  private readonly downSinceNs: Float64Array;
  private readonly backNs: Float64Array;
  private readonly outageOf: Uint32Array;

  constructor(connections: number, private readonly surroundings: OutageSurroundings) {
    this.downSinceNs = new Float64Array(connections);
    this.backNs = new Float64Array(connections);
    this.outageOf = new Uint32Array(connections);
  }

  start(atNs: number): void {
    this.startNs = atNs;
  }

  /**
   * A connection was lost, or could not be opened; it was not down before.
   *
   * @param sinceNs when it was last known to be of use, where that was before `atNs`.
   */
  down(id: number, atNs: number, sinceNs: number): void {
    if (this.isFrozen) return;
    const outage = this.current ??= this.begin(sinceNs);
    outage.beganNs = Math.min(outage.beganNs, sinceNs);
    outage.down++;
    if (this.outageOf[id] !== outage.number) {
      this.outageOf[id] = outage.number;
      this.downSinceNs[id] = sinceNs;
      outage.connections++;
    } else {
      outage.lostAgain++;
      // One that was back for a moment only was not back: its gap goes on.
      if (atNs - this.backNs[id]! >= holdNs) this.downSinceNs[id] = sinceNs;
    }
    this.backNs[id] = 0;
    this.judgeLevels(outage, atNs);
  }

  /** A connection that was down works again. */
  back(id: number, atNs: number): void {
    const outage = this.current;
    if (this.isFrozen || outage === undefined) return;
    outage.down--;
    this.backNs[id] = atNs;
    outage.longestGapNs = Math.max(outage.longestGapNs, atNs - this.downSinceNs[id]!);
    this.judgeLevels(outage, atNs);
  }

  /** An attempt to bring a connection back has failed. */
  attemptFailed(): void {
    if (!this.isFrozen && this.current !== undefined) this.current.failedAttempts++;
  }

  /** What a connection that went down took with it: messages out, and messages that waited. */
  messagesLost(lost: number, dropped: number): void {
    if (this.isFrozen || this.current === undefined) return;
    this.current.lost += lost;
    this.current.dropped += dropped;
  }

  /** A message that was due while its connection was down, and went out nevertheless, is lost late. */
  messageTimedOut(id: number, intendedNs: number): void {
    const isOfGap = intendedNs < this.backNs[id]! && intendedNs >= this.downSinceNs[id]!;
    if (!isOfGap || this.isFrozen) return;
    const { current } = this;
    if (current !== undefined && this.outageOf[id] === current.number) current.lost++;
    else if (this.outageOf[id] === this.total) this.list.at(-1)!.lost++;
  }

  /** Ends an outage that is over; returns whether there was one. */
  step(atNs: number): boolean {
    const { current } = this;
    if (current === undefined || !(atNs - current.backAllNs >= holdNs)) return false;
    keepOutage(this.list, this.describe(current, atNs, true));
    this.current = undefined;
    return true;
  }

  /** From now on connections end because the run does. */
  freeze(atNs: number): void {
    const { current } = this;
    this.isFrozen = true;
    if (current === undefined) return;
    keepOutage(this.list, this.describe(current, atNs, current.down === 0));
    this.current = undefined;
  }

  report(atNs: number): OutageReport {
    const list = this.list.map((outage) => ({ ...outage }));
    if (this.current !== undefined) keepOutage(list, this.describe(this.current, atNs, false));
    return { total: this.total, list };
  }

  private begin(sinceNs: number): RunningOutage {
    this.total++;
    return {
      number: this.total,
      countsBefore: this.surroundings.counts(),
      before: this.surroundings.spread(),
      beganNs: sinceNs,
      connections: 0,
      down: 0,
      lostAgain: 0,
      failedAttempts: 0,
      back50Ns: NaN,
      back99Ns: NaN,
      backAllNs: NaN,
      longestGapNs: 0,
      lost: 0,
      dropped: 0,
    };
  }

  /** A level that is lost again is reached anew later: only the last time counts. */
  private judgeLevels(outage: RunningOutage, atNs: number): void {
    const backShare = 1 - outage.down / outage.connections;
    outage.back50Ns = reached(backShare >= 0.5, outage.back50Ns, atNs);
    outage.back99Ns = reached(backShare >= 0.99, outage.back99Ns, atNs);
    outage.backAllNs = reached(outage.down === 0, outage.backAllNs, atNs);
  }

  private describe(outage: RunningOutage, atNs: number, isOver: boolean): Outage {
    const { countsBefore, beganNs } = outage;
    const counts = this.surroundings.counts();
    const afterBeginMs = (ns: number) => (ns - beganNs) / 1e6;
    return {
      beganMs: (beganNs - this.startNs) / 1e6,
      connections: outage.connections,
      down: outage.down,
      lostAgain: outage.lostAgain,
      failedAttempts: outage.failedAttempts,
      back50Ms: afterBeginMs(outage.back50Ns),
      back99Ms: afterBeginMs(outage.back99Ns),
      backAllMs: afterBeginMs(outage.backAllNs),
      longestGapMs: this.longestGapNs(outage, atNs) / 1e6,
      lost: outage.lost,
      unsent: outage.dropped + counts.unsent - countsBefore.unsent,
      duplicated: counts.duplicated - countsBefore.duplicated,
      late: counts.late - countsBefore.late,
      before: outage.before,
      after: this.surroundings.spread(),
      isOver,
    };
  }

  /** Gaps that last until now count, too. */
  private longestGapNs(outage: RunningOutage, atNs: number): number {
    let longestNs = outage.longestGapNs;
    if (outage.down === 0) return longestNs;
    for (let id = 0; id < this.outageOf.length; id++) {
      if (this.outageOf[id] !== outage.number) continue;
      const sinceNs = this.downSinceNs[id]!;
      if (!(this.backNs[id]! >= sinceNs)) longestNs = Math.max(longestNs, atNs - sinceNs);
    }
    return longestNs;
  }
}

function reached(isReached: boolean, sinceNs: number, atNs: number): number {
  return !isReached ? NaN : Number.isNaN(sinceNs) ? atNs : sinceNs;
}
