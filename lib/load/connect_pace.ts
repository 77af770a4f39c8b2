import type { Share } from "./share.ts";

/** After each so many of the whole load there is a pause. */
export interface PaceStep {
  readonly connections: number;
  readonly holdNs: number;
}

/**
 * When things that have a rate may be done: one every 1 / rate, counted from the start, so that one that
 * is late does not put the others off. Of a load that several generators carry out, each has its turns.
 */
export class ConnectPace {
  private startNs = 0;
  private used = 0;
  private firstTurn: number;
  private readonly turnsApart: number;
  /** What is done follows the plan from the start, with its pauses. */
  private isPlanned = true;

  /** @param perSecond of the whole load. */
  constructor(
    private readonly perSecond: number,
    share: Share | undefined,
    private readonly step: PaceStep | undefined,
  ) {
    this.firstTurn = share?.index ?? 0;
    this.turnsApart = share?.of ?? 1;
  }

  start(atNs: number): void {
    this.startNs = atNs;
    this.used = 0;
  }

  /** When the next may be done (clock time). */
  get nextNs(): number {
    const turn = this.firstTurn + this.used * this.turnsApart;
    return this.startNs + (this.isPlanned ? this.plannedNs(turn) : turn * 1e9 / this.perSecond);
  }

  /** When turn k of the whole load is, ns after the start. */
  private plannedNs(k: number): number {
    const { step } = this;
    const pausesNs = step === undefined ? 0 : Math.floor(k / step.connections) * step.holdNs;
    return k * 1e9 / this.perSecond + pausesNs;
  }

  /** How many per second that makes over so many turns from the start, pauses included. */
  plannedPerSecond(turns: number): number {
    const last = turns - 1;
    return this.step === undefined || last === 0
      ? this.perSecond
      : last * 1e9 / this.plannedNs(last);
  }

  use(): void {
    this.used++;
  }

  /** There is something to do since `atNs`: time in which there was nothing is not made up for. */
  skipTo(atNs: number): void {
    if (this.nextNs >= atNs) return;
    this.firstTurn = 0;
    this.isPlanned = false;
    this.start(atNs);
  }
}
