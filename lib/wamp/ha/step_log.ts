import type { ServerSpread } from "../../stats/outage.ts";
import type { StepReport } from "./snapshot.ts";

/** Running counts, whose growth between two steps is put down to the first. */
export interface StepCounts {
  /** By publisher. */
  readonly published: Float64Array;
  readonly eventsDuplicated: number;
  readonly publicationsFailed: number;
  readonly callsFailed: number;
}

/** What is asked when a step is made. */
export interface StepSurroundings {
  counts(): StepCounts;
  spread(): ServerSpread;
}

interface OpenStep {
  readonly text: string;
  readonly atNs: number;
  readonly counts: StepCounts;
  readonly before: ServerSpread;
  /** When sessions were lost, by id; and how long those that are back were away, in milliseconds. */
  readonly lostNs: Map<number, number>;
  readonly awayMs: number[];
  /** How far each publisher was when the next step was made. */
  publishedUntil: Float64Array;
  report: StepReport;
}

/** What each step of a scenario has done: told of sessions that go and come. Times are clock times. */
export class StepLog {
  readonly #surroundings: StepSurroundings;
  readonly #steps: OpenStep[] = [];
  /** The step that each session that is away was lost in. */
  readonly #stepOf = new Map<number, OpenStep>();
  #beginNs = 0;

  constructor(surroundings: StepSurroundings) {
    this.#surroundings = surroundings;
  }

  /** The measured phase begins. */
  begin(atNs: number): void {
    this.#beginNs = atNs;
  }

  /** A step is being made. */
  step(text: string, atNs: number): void {
    this.end();
    const before = this.#surroundings.spread();
    const counts = this.#surroundings.counts();
    this.#steps.push({
      text,
      atNs,
      counts,
      publishedUntil: counts.published,
      before,
      lostNs: new Map(),
      awayMs: [],
      report: {
        text,
        atMs: (atNs - this.#beginNs) / 1e6,
        detectedMs: NaN,
        markedDownMs: NaN,
        lost: 0,
        back: 0,
        reconnectP50Ms: NaN,
        reconnectP95Ms: NaN,
        reconnectMaxMs: NaN,
        allBackMs: NaN,
        before,
        after: before,
        recycled: 0,
        eventsLost: 0,
        eventsDuplicated: 0,
        publicationsFailed: 0,
        callsFailed: 0,
      },
    });
  }

  /** The time of the last step is over. */
  end(): void {
    const last = this.#steps.at(-1);
    if (last === undefined) return;
    const counts = this.#surroundings.counts();
    const { report } = last;
    report.after = this.#surroundings.spread();
    last.publishedUntil = counts.published;
    report.eventsDuplicated = counts.eventsDuplicated - last.counts.eventsDuplicated;
    report.publicationsFailed = counts.publicationsFailed - last.counts.publicationsFailed;
    report.callsFailed = counts.callsFailed - last.counts.callsFailed;
  }

  sessionLost(id: number, atNs: number, isRecycled: boolean): void {
    const step = this.#steps.at(-1);
    if (step === undefined) return;
    if (isRecycled) {
      step.report.recycled++;
      return;
    }
    const { report } = step;
    if (report.lost === 0) report.detectedMs = (atNs - step.atNs) / 1e6;
    report.lost++;
    step.lostNs.set(id, atNs);
    this.#stepOf.set(id, step);
  }

  sessionBack(id: number, atNs: number): void {
    const step = this.#stepOf.get(id);
    if (step === undefined) return;
    this.#stepOf.delete(id);
    step.awayMs.push((atNs - step.lostNs.get(id)!) / 1e6);
    step.report.back++;
    step.report.allBackMs = (atNs - step.atNs) / 1e6;
  }

  /** The balancer takes a node for down. */
  markedDown(atNs: number): void {
    const report = this.#steps.at(-1)?.report;
    if (report === undefined || !Number.isNaN(report.markedDownMs)) return;
    report.markedDownMs = (atNs - this.#steps.at(-1)!.atNs) / 1e6;
  }

  /** @param lostBetween how much is lost of what was published between two states of the publishers. */
  reports(lostBetween: (from: Float64Array, to: Float64Array) => number): StepReport[] {
    return this.#steps.map(({ report, awayMs, counts, publishedUntil }) => {
      const sorted = awayMs.toSorted((a, b) => a - b);
      return {
        ...report,
        eventsLost: lostBetween(counts.published, publishedUntil),
        allBackMs: report.back < report.lost ? NaN : report.allBackMs,
        reconnectP50Ms: percentile(sorted, 0.5),
        reconnectP95Ms: percentile(sorted, 0.95),
        reconnectMaxMs: percentile(sorted, 1),
      };
    });
  }
}

/** The smallest value that this share of all does not exceed; NaN of none. */
function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}
