import type { ExploreSettings } from "./explore_plan.ts";
import type { Span } from "./mode.ts";

/** Messages that are still on their way when a run ends have so long to come, at most. */
const longestDrainSeconds = 5;

/**
 * The phases of `explore`, which all nodes keep by the time of day: unix time modulo (run +
 * cool-down) below the run is the run, the rest the cool-down. Instants are nanoseconds since the
 * origin.
 *
 * In the first half of a cool-down, but for 5 s at most, the last messages of its run are awaited;
 * then every node drops its network state and builds it anew.
 */
export class ExploreClock {
  readonly periodSeconds: number;
  /** What a network is left to be built in before a run begins, at least. */
  readonly buildingNs: number;

  constructor(
    private readonly settings: Pick<ExploreSettings, "runSeconds" | "coolDownSeconds">,
    private readonly originSeconds: number,
  ) {
    this.periodSeconds = settings.runSeconds + settings.coolDownSeconds;
    this.buildingNs = Math.min(settings.coolDownSeconds / 2, longestDrainSeconds) * 1e9;
  }

  /** Number of the period that goes on at an instant. */
  periodAt(atNs: number): number {
    return Math.floor((this.originSeconds + atNs / 1e9) / this.periodSeconds);
  }

  /**
   * The period that a message was due in. The borders lie in the middle of cool-downs: clocks are set
   * right all the time, and the first message of a run can be due a microsecond before its start.
   *
   * @param unixSeconds with a fraction.
   */
  periodOf(unixSeconds: number): number {
    return Math.floor((unixSeconds + this.settings.coolDownSeconds / 2) / this.periodSeconds);
  }

  /** Number of the first period that begins at an instant or later. */
  firstPeriodFrom(atNs: number): number {
    const period = this.periodAt(atNs);
    return this.runOf(period).startNs >= atNs ? period : period + 1;
  }

  /** The run of a period. */
  runOf(period: number): Span {
    const startNs = (period * this.periodSeconds - this.originSeconds) * 1e9;
    return { startNs, endNs: startNs + this.settings.runSeconds * 1e9 };
  }

  /** When the network state of a period is dropped. */
  resetNs(period: number): number {
    return this.runOf(period).endNs +
      Math.min(this.settings.coolDownSeconds / 2, longestDrainSeconds) * 1e9;
  }
}
