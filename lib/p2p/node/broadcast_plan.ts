import type { Broadcaster } from "../broadcaster.ts";
import type { MessageReceiver } from "../message_receiver.ts";
import { isBroadcasting, turnOf } from "../mode.ts";
import type { WallClock } from "../wall_clock.ts";
import type { BroadcastNodeSettings } from "./node_settings.ts";
import type { UsageMeter } from "./usage_meter.ts";

/** How long after the end of a turn in `rr` its last messages are still sent, late. */
const catchUpNs = 100e6;

export interface BroadcastPlanParts {
  readonly clock: WallClock;
  readonly broadcaster: Broadcaster;
  readonly receiver: MessageReceiver;
  readonly usage: UsageMeter;
}

/**
 * When a node broadcasts, and from when on it is measured: from its begin to its end, in `rr` in its
 * own turns alone; what is due in the warm-up is counted, and not timed. `explore` has a plan of its
 * own.
 */
export class BroadcastPlan {
  /** Whether this node has anything to broadcast. */
  readonly broadcasts: boolean;
  private turnEndNs = Infinity;
  private endNs = Infinity;
  private warmup: ReturnType<typeof setTimeout> | undefined;
  private hasEnded = false;

  constructor(
    private readonly settings: BroadcastNodeSettings,
    private readonly parts: BroadcastPlanParts,
  ) {
    const { mode, nodeId, broadcaster, warmupMs = 0 } = settings;
    this.broadcasts = isBroadcasting(mode, nodeId, broadcaster);
    // Where the warm-up ends is known with the begin; others may have begun before.
    this.measureFrom(warmupMs > 0 ? Infinity : settings.measuredFromNs ?? -Infinity);
  }

  /** Whether the warm-up goes on. */
  get isWarmingUp(): boolean {
    return this.parts.clock.nowNs() < this.parts.receiver.measuredFromNs;
  }

  /** As `RunningNode.begin`. */
  begin(
    atNs: number,
    untilNs: number,
    measuredFromNs = this.measuredFrom(atNs),
  ): void {
    const { clock, broadcaster, usage } = this.parts;
    this.measureFrom(measuredFromNs);
    const warmupMs = (measuredFromNs - clock.nowNs()) / 1e6;
    if (warmupMs > 0) this.warmup = setTimeout(() => usage.start(), warmupMs);
    else usage.start();
    if (!this.broadcasts) return;
    // Half a microsecond before: rounding must not let the first message after it in.
    if (untilNs < Infinity) this.endNs = clock.toMonotonic(untilNs) - 500;
    if (this.settings.mode === "rr") this.planTurn(atNs);
    else broadcaster.plan({ startNs: clock.toMonotonic(atNs), endNs: this.endNs });
  }

  /**
   * Broadcasts what is due.
   *
   * @returns when there is something to do again.
   */
  step(atNs: number): number {
    const { clock, broadcaster } = this.parts;
    const nextNs = broadcaster.step(atNs);
    if (this.settings.mode !== "rr" || this.hasEnded) return nextNs;
    const isOver = nextNs === Infinity || atNs > this.turnEndNs + catchUpNs;
    if (!isOver) return nextNs;
    // Half a microsecond past the end: rounding must not give the turn that is over again.
    this.planTurn(Math.max(clock.atMonotonic(this.turnEndNs) + 500, clock.nowNs()));
    return broadcaster.nextNs;
  }

  /** There are no further turns. */
  end(): void {
    this.hasEnded = true;
    clearTimeout(this.warmup);
  }

  private measuredFrom(atNs: number): number {
    const { warmupMs = 0, measuredFromNs = -Infinity } = this.settings;
    // Half a microsecond before: rounding must not put the first message after it into the warm-up.
    return warmupMs > 0 ? atNs + warmupMs * 1e6 - 500 : measuredFromNs;
  }

  private measureFrom(wallNs: number): void {
    this.parts.broadcaster.measuredFromNs = wallNs;
    this.parts.receiver.measuredFromNs = wallNs;
  }

  /** Plans the turn that goes on, from then on, or the next one. */
  private planTurn(fromNs: number): void {
    const { clock, broadcaster } = this.parts;
    const { nodeId, originSeconds } = this.settings;
    const turn = turnOf(nodeId, fromNs, originSeconds, this.settings);
    const startNs = clock.toMonotonic(Math.max(turn.startNs, fromNs));
    const endNs = clock.toMonotonic(turn.endNs);
    this.turnEndNs = endNs;
    broadcaster.plan({ startNs, endNs: Math.min(endNs, this.endNs) });
  }
}
