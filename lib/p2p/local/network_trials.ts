import { type HistogramSummary, summarize } from "../../stats/histogram_summary.ts";
import { ExploreClock } from "../explore_clock.ts";
import { type Combination, explorePlan, throughputOf } from "../explore_plan.ts";
import { largestMessageBytes } from "../message_sizes.ts";
import type { NetworkProtocol } from "../network/network.ts";
import { OneWayDelays } from "../one_way_delays.ts";
import { emptyBroadcastCounts, type ExploreTrial } from "../snapshot.ts";
import type { DeliveryCounts } from "./delivery_counts.ts";
import { type DeliveryFigures, emptyFigures } from "./delivery_figures.ts";
import type { NetworkBooks } from "./network_books.ts";
import type { NetworkPlan } from "./network_plan.ts";
import type { NetworkTrial } from "./snapshot.ts";

const sustainedShare = 0.999;
const keptPlanShare = 0.99;
/** What a node takes to start and meet the others, on a host with few cores. */
const startMsEach = 400;
const startMs = 2_000;
/** After the network was dropped, every node has said what it had of the trial. */
const settleNs = 1.5e9;

/** What is kept of a trial's books: they themselves take megabytes. */
interface TrialDeliveries {
  readonly counts: DeliveryCounts;
  /** Messages that every other node had; where a message is for one node, that one. */
  readonly everywhere: number;
  readonly delivery: HistogramSummary;
}

const noDeliveries = deliveriesOf(emptyFigures(0));

function deliveriesOf(
  { counts, reachCounts, delay, negativeDelay }: DeliveryFigures,
): TrialDeliveries {
  return {
    counts: { ...counts },
    everywhere: reachCounts.at(-1)!.reached,
    delivery: summarize(new OneWayDelays(delay, negativeDelay)),
  };
}

/** The trials of `explore`, which all nodes carry out by the clock, and what came of them. */
export class NetworkTrials {
  readonly clock: ExploreClock;
  readonly combinations: readonly Combination[];
  /** Number of the first trial's period. */
  readonly firstPeriod: number;
  readonly #plan: NetworkPlan;
  readonly #protocol: NetworkProtocol;
  readonly #originSeconds: number;
  readonly #deliveries = new Map<number, TrialDeliveries>();
  /** Trials whose books are closed. */
  #settled = 0;

  constructor(plan: NetworkPlan, protocol: NetworkProtocol, originSeconds: number) {
    this.#plan = plan;
    this.#protocol = protocol;
    this.#originSeconds = originSeconds;
    this.clock = new ExploreClock(plan.explore, originSeconds);
    this.combinations = explorePlan(plan.explore, largestMessageBytes(protocol));
    const readyMs = startMs + plan.numNodes * (startMsEach + plan.staggerMs);
    this.firstPeriod = this.clock.firstPeriodFrom(readyMs * 1e6);
  }

  /** When the first trial begins. */
  get beginNs(): number {
    return this.clock.runOf(this.firstPeriod).startNs;
  }

  /** The period that a message belongs to, by when it was due. */
  periodOf(dueNs: number): number {
    return this.clock.periodOf(this.#originSeconds + dueNs / 1e9);
  }

  /** The combination that is tried at an instant; before and after all, the first and the last. */
  combinationAt(ns: number): Combination {
    const number = this.clock.periodAt(ns) - this.firstPeriod;
    return this.combinations[Math.min(Math.max(number, 0), this.combinations.length - 1)]!;
  }

  /** Whether a combination is being tried at an instant, rather than the network built for one. */
  isTrying(ns: number): boolean {
    const { startNs, endNs } = this.clock.runOf(this.clock.periodAt(ns));
    return ns >= this.beginNs && ns >= startNs && ns < endNs;
  }

  get areAllSettled(): boolean {
    return this.#settled >= this.combinations.length;
  }

  /** Closes the books of the trials that are over at an instant. */
  settle(books: NetworkBooks, nowNs: number): void {
    while (!this.areAllSettled) {
      const period = this.firstPeriod + this.#settled;
      if (nowNs < this.clock.resetNs(period) + settleNs) return;
      this.#close(books, period);
    }
  }

  /** At the end of the run: the trial that goes on is kept as far as it came. */
  settleBegun(books: NetworkBooks, nowNs: number): void {
    while (!this.areAllSettled) {
      const period = this.firstPeriod + this.#settled;
      // NaN: the plan never began.
      if (!(nowNs > this.clock.runOf(period).startNs)) return;
      this.#close(books, period);
    }
  }

  /**
   * What came of the trials whose books are closed.
   *
   * @param ofNodes what each node says about its trials.
   * @param endNs when the run ended, NaN: not yet; it may have cut the last trial short.
   */
  results(ofNodes: readonly (readonly ExploreTrial[])[], endNs: number): NetworkTrial[] {
    return this.combinations.slice(0, this.#settled).map((combination, number) => {
      const trials = ofNodes.flatMap((all) => all.filter((trial) => trial.number === number));
      const deliveries = this.#deliveries.get(this.firstPeriod + number) ?? noDeliveries;
      const run = this.clock.runOf(this.firstPeriod + number);
      const seconds = (Math.min(run.endNs, endNs || Infinity) - run.startNs) / 1e9;
      // Where every message is for one node alone, the gaps at the others are nothing that pends.
      const pending = this.#protocol === "sqmr"
        ? 0
        : trials.reduce((total, trial) => total + trial.pending, 0);
      const said = { deliveries, trials, seconds, pending };
      return trialOf(number, combination, said, this.#plan.numNodes);
    });
  }

  #close(books: NetworkBooks, period: number): void {
    this.#settled++;
    for (const { part, figures } of books.settleUpTo(period)) {
      this.#deliveries.set(part, deliveriesOf(figures));
    }
  }
}

function trialOf(
  number: number,
  combination: Combination,
  { deliveries, trials, seconds, pending }: {
    readonly deliveries: TrialDeliveries;
    readonly trials: readonly ExploreTrial[];
    readonly seconds: number;
    readonly pending: number;
  },
  numNodes: number,
): NetworkTrial {
  const { counts, everywhere, delivery } = deliveries;
  const broadcast = trials.find((trial) => trial.broadcast.due > 0)?.broadcast ??
    emptyBroadcastCounts();
  const complete = trials.filter(({ isComplete }) => isComplete).length;
  return {
    number,
    ...combination,
    askedBytesPerSecond: throughputOf(combination),
    deliveredBytesPerSecond: (everywhere * combination.messageBytes) / seconds,
    broadcast,
    counts,
    pending,
    complete,
    delivery,
    cpuShare: trials.reduce(
      (total, trial) => total + (trial.seconds > 0 ? trial.cpuSeconds / trial.seconds : 0),
      0,
    ),
    isSustained: complete === numNodes && counts.expected > 0 && pending === 0 &&
      counts.delivered >= sustainedShare * counts.expected &&
      broadcast.sent >= keptPlanShare * broadcast.due,
  };
}
