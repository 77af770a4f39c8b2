import type { BreakCondition } from "./break_condition.ts";
import type { BrokenBound, Knee, RampSecond } from "./ramp.ts";

/** For so many seconds running something must be wrong: one bad second is no knee. */
export const secondsToBreak = 3;

interface BrokenSecond {
  readonly atMs: number;
  readonly bounds: ReadonlyMap<BreakCondition, string>;
}

export interface KneeSettings {
  readonly conditions: readonly BreakCondition[];
  /** How late a loss is known: messages that count as lost now were due so long ago. */
  readonly replyTimeoutMs: number;
}

/**
 * Finds the second of a ramp from which on something was wrong for three seconds running. That is
 * so, too, where each of the three is another condition's. A second without data for a condition (no
 * attempt came to its end while a step is held) neither breaks that condition nor mends it.
 */
export class KneeDetector {
  readonly #settings: KneeSettings;
  /** The seconds running in which any condition was broken. */
  #running: BrokenSecond[] = [];
  /** Of each condition, the broken seconds since it last held. */
  readonly #ofCondition = new Map<BreakCondition, BrokenSecond[]>();
  /** Open connections of each second: at its start, and the most. Losses look back to them. */
  readonly #opens: { readonly fromMs: number; readonly before: number; readonly most: number }[] =
    [];
  #knee: Knee | undefined;

  constructor(settings: KneeSettings) {
    this.#settings = settings;
  }

  get knee(): Knee | undefined {
    return this.#knee;
  }

  /** Whether something is wrong already, but not for long enough. */
  get isSuspicious(): boolean {
    return this.#running.length > 0;
  }

  /** A second is over. @returns the knee, once there is one; it stays. */
  next(second: RampSecond): Knee | undefined {
    if (this.#knee !== undefined) return this.#knee;
    this.#opens.push({
      fromMs: second.fromMs,
      before: second.openBefore,
      most: Math.max(second.openBefore, second.open),
    });
    const bounds = new Map<BreakCondition, string>();
    const broken: BrokenSecond = { atMs: second.fromMs, bounds };
    let isSilent = true;
    for (const condition of this.#settings.conditions) {
      const result = condition.check(second);
      if (result === "none") continue;
      isSilent = false;
      if (result === undefined) {
        this.#ofCondition.delete(condition);
        continue;
      }
      bounds.set(condition, result.measured);
      const own = this.#ofCondition.get(condition) ?? [];
      own.push(broken);
      this.#ofCondition.set(condition, own);
    }
    if (bounds.size > 0) this.#running.push(broken);
    else if (!isSilent) this.#running = [];
    const long = [this.#running, ...this.#ofCondition.values()]
      .filter((seconds) => seconds.length >= secondsToBreak)
      .sort((a, b) => a[0]!.atMs - b[0]!.atMs)[0];
    if (long !== undefined) this.#break(long);
    return this.#knee;
  }

  /**
   * The ramp is over: all attempts have come to their end. Where the last ones failed, there is no
   * further second that could confirm it.
   */
  endOfAttempts(): Knee | undefined {
    if (this.#knee !== undefined) return this.#knee;
    for (const [condition, seconds] of this.#ofCondition) {
      if (condition.metric === "connections.failed" && seconds.length > 0) {
        this.#break(seconds);
        break;
      }
    }
    return this.#knee;
  }

  #break(seconds: readonly BrokenSecond[]): void {
    const first = new Map<BreakCondition, BrokenBound>();
    for (const { bounds } of seconds) {
      for (const [condition, measured] of bounds) {
        if (!first.has(condition)) first.set(condition, { condition: condition.text, measured });
      }
    }
    const concerned = new Set([...first.keys()].map(({ concerns }) => concerns));
    const [start] = seconds;
    const atMs = this.#beginOf(start!);
    const affected = concerned.size > 1 ? "both" : [...concerned][0]!;
    const { before, most } = this.#opens.find(({ fromMs }) => fromMs >= atMs) ??
      this.#opens.at(-1)!;
    this.#knee = {
      atMs,
      // New ones fail when no more are open; open ones, with those that were open before.
      connections: affected === "existing" && before > 0 ? before : most,
      broken: [...first.values()],
      affected,
    };
  }

  /** Where nothing but lost messages shows it, it began when they were due. */
  #beginOf({ atMs, bounds }: BrokenSecond): number {
    const isLossOnly = [...bounds.keys()].every(({ metric }) => metric === "lost");
    if (!isLossOnly) return atMs;
    const dueMs = atMs - this.#settings.replyTimeoutMs;
    return this.#opens.findLast(({ fromMs }) => fromMs <= dueMs)?.fromMs ?? this.#opens[0]!.fromMs;
  }
}
