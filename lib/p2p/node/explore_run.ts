import type { Broadcaster } from "../broadcaster.ts";
import type { ExploreClock } from "../explore_clock.ts";
import type { Combination } from "../explore_plan.ts";
import { isSustainedHere } from "../explore_result.ts";
import { type MessageReceiver, TrialArrivals } from "../message_receiver.ts";
import type { NetworkProtocol } from "../network/network.ts";
import type { ExploreTrial, NodePhase } from "../snapshot.ts";
import type { WallClock } from "../wall_clock.ts";
import { UsageMeter } from "./usage_meter.ts";

/** The longest time to trust the clock for: it may be set meanwhile. */
const longestWaitMs = 500;

/** What `explore` needs of its node. */
export interface ExploredNode {
  readonly plan: readonly Combination[];
  readonly clock: ExploreClock;
  readonly wallClock: WallClock;
  readonly broadcaster: Broadcaster;
  readonly receiver: MessageReceiver;
  readonly protocol: NetworkProtocol;
  readonly nodeId: number;
  readonly numNodes: number;
  /** The node that broadcasts. */
  readonly broadcasterId: number;
  readonly runSeconds: number;
  readonly stopsAtLimit: boolean;
  /** The period of the first trial; the next one that leaves time to connect if undefined. */
  readonly firstPeriod: number | undefined;
  /** The broadcaster has something new to do. */
  wake(): void;
  setPhase(phase: NodePhase): void;
  /** Drops the network state and builds it anew, for messages of another size. */
  reset(messageBytes: number, nextTrial: number): Promise<void>;
  note(line: string): void;
}

/** Walks the plan of `explore`, one combination in each period of the clock. */
export class ExploreRun {
  readonly trials: ExploreTrial[] = [];
  private readonly ending = new AbortController();
  private number = -1;
  private usage = new UsageMeter();
  private startedNs = Infinity;
  private isWaiting = true;
  private readonly firstPeriod: number;

  constructor(private readonly node: ExploredNode) {
    const { clock, wallClock } = node;
    this.firstPeriod = node.firstPeriod ??
      clock.firstPeriodFrom(wallClock.nowNs() + clock.buildingNs);
    this.prepare(this.nextFrom(0));
  }

  get planned(): number {
    return this.node.plan.length;
  }

  /** The combination that is tried, or comes next. */
  get combination(): Combination {
    const { plan } = this.node;
    return plan[Math.min(this.number, plan.length - 1)]!;
  }

  /** A run that is begun later than this is not whole. */
  private get toleratedNs(): number {
    return 0.1 * this.node.runSeconds * 1e9;
  }

  /** Resolves when the plan is over, or `end` was called. */
  async run(): Promise<void> {
    const { node } = this;
    while (this.number < node.plan.length) {
      const period = this.firstPeriod + this.number;
      await this.until(node.clock.runOf(period).startNs);
      if (this.ending.signal.aborted) return;
      this.begin();
      await this.until(node.clock.runOf(period).endNs);
      if (this.ending.signal.aborted) return;
      node.setPhase("cool-down");
      await this.until(node.clock.resetNs(period));
      if (this.ending.signal.aborted) return;
      const trial = this.close(true);
      if (node.stopsAtLimit && !isSustainedHere(trial, node)) return;
      const next = this.nextFrom(this.number + 1);
      if (next >= node.plan.length) return;
      await node.reset(node.plan[next]!.messageBytes, next);
      if (this.ending.signal.aborted) return;
      this.prepare(this.nextFrom(next));
    }
  }

  /** Ends the plan; a trial that goes on is kept as far as it came. */
  end(): void {
    this.ending.abort();
  }

  /** Keeps the trial that goes on, if one does. */
  closeUnfinished(): void {
    if (!this.isWaiting) this.close(false);
  }

  /** The trial of that number, or the next one whose run is not lost already: the clock waits for none. */
  private nextFrom(number: number): number {
    const { clock, wallClock, note } = this.node;
    const fromNs = wallClock.nowNs() - this.toleratedNs;
    const next = Math.max(number, clock.firstPeriodFrom(fromNs) - this.firstPeriod);
    if (next > number) note(`trials ${number + 1} to ${next} were missed: their time is over`);
    return next;
  }

  private prepare(number: number): void {
    const { node } = this;
    this.number = number;
    this.isWaiting = true;
    const { messageBytes, heartbeatMs } = this.combination;
    const period = this.firstPeriod + number;
    node.receiver.period = period;
    node.receiver.trial = new TrialArrivals(messageBytes);
    if (node.nodeId !== node.broadcasterId) return;
    const { startNs, endNs } = node.clock.runOf(period);
    node.broadcaster.setLoad({ messageBytes, heartbeatNs: heartbeatMs * 1e6 });
    node.broadcaster.plan({
      startNs: node.wallClock.toMonotonic(startNs),
      endNs: node.wallClock.toMonotonic(endNs),
    });
    node.wake();
  }

  private begin(): void {
    this.isWaiting = false;
    this.startedNs = this.node.wallClock.nowNs();
    this.usage = new UsageMeter();
    this.usage.start();
    this.node.setPhase("running");
  }

  private close(isComplete: boolean): ExploreTrial {
    const { node } = this;
    this.isWaiting = true;
    this.usage.end();
    const arrivals = node.receiver.trial!;
    const period = this.firstPeriod + this.number;
    // A run that was begun late, because the network was not there in time, is not whole.
    const lateNs = this.startedNs - node.clock.runOf(period).startNs;
    const trial: ExploreTrial = {
      number: this.number,
      period,
      ...this.combination,
      broadcast: node.broadcaster.trialCounts(),
      received: arrivals.received,
      receivedBytes: arrivals.receivedBytes,
      pending: node.receiver.pending(),
      duplicates: arrivals.duplicates,
      lastIndex: node.receiver.lastIndexOf(node.broadcasterId),
      otherSizes: arrivals.otherSizes,
      delivery: arrivals.delivery.pack(),
      negativeDelivery: arrivals.negativeDelivery.pack(),
      seconds: this.usage.used().seconds,
      cpuSeconds: this.usage.cpuSeconds,
      isComplete: isComplete && lateNs <= this.toleratedNs,
    };
    this.trials.push(trial);
    if (trial.otherSizes > 0) {
      node.note(
        `trial ${trial.number + 1}: ${trial.otherSizes} messages had another size than ` +
          `${trial.messageBytes} bytes; the nodes are not in step: start them in the same period`,
      );
    }
    return trial;
  }

  /** Waits for an instant of the real-time clock, or for the end of the plan. */
  private async until(wallNs: number): Promise<void> {
    const { signal } = this.ending;
    for (;;) {
      const restMs = (wallNs - this.node.wallClock.nowNs()) / 1e6;
      if (restMs <= 0 || signal.aborted) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, Math.min(Math.ceil(restMs), longestWaitMs));
        signal.addEventListener("abort", done);
        function done() {
          clearTimeout(timer);
          signal.removeEventListener("abort", done);
          resolve();
        }
      });
    }
  }
}
