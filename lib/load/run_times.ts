import type { Phase } from "../stats/snapshot.ts";

/** How long answers are awaited after an interrupt. */
const interruptedDrainNs = 1e9;

/** Where a run is, and when its phases begin and end (clock times, Infinity until they are known). */
export class RunTimes {
  phase: Phase = "ramp";
  isInterrupted = false;
  startNs = Infinity;
  steadyStartNs = Infinity;
  steadyEndNs = Infinity;
  doneNs = Infinity;
  private drainEndNs = Infinity;

  /** All connections that will open are open, and messages are sent. */
  get isSending(): boolean {
    return this.phase === "warmup" || this.phase === "steady";
  }

  /** Messages may fall due; those of an interval do so while connections still open. */
  get isPlanning(): boolean {
    return this.phase === "ramp" || this.isSending;
  }

  /** The ramp is measured too: the steady phase has begun with it. */
  measureRamp(): void {
    this.steadyStartNs = this.startNs;
  }

  /** All connections are open or have failed. */
  endRamp(atNs: number, warmupMs: number, durationMs: number): void {
    this.phase = "warmup";
    this.steadyStartNs = Math.min(this.steadyStartNs, atNs + warmupMs * 1e6);
    this.steadyEndNs = atNs + (warmupMs + durationMs) * 1e6;
  }

  /** The steady phase is over now, whatever was planned. */
  cut(atNs: number): void {
    this.steadyStartNs = Math.min(this.steadyStartNs, atNs);
    this.steadyEndNs = Math.min(this.steadyEndNs, atNs);
  }

  beginDrain(atNs: number, drainMs: number): void {
    this.phase = "drain";
    this.drainEndNs = atNs + drainMs * 1e6;
    if (this.isInterrupted) this.shortenDrain(atNs);
  }

  /** The user waits: no longer than a second more. */
  shortenDrain(atNs: number): void {
    this.drainEndNs = Math.min(this.drainEndNs, atNs + interruptedDrainNs);
  }

  isDrainOver(atNs: number): boolean {
    return atNs >= this.drainEndNs;
  }

  finish(atNs: number): void {
    this.phase = "done";
    this.doneNs = atNs;
  }
}
