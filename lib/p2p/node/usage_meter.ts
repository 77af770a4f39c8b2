import { runQueueWaitNs } from "../../host/run_queue.ts";
import { nowNs } from "../../stats/clock.ts";
import type { RunningUsage } from "../snapshot.ts";

interface Reading {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly cpuWaitSeconds: number;
}

/** CPU use of this process from one instant to another. */
export class UsageMeter {
  private from: Reading | undefined;
  private to: Reading | undefined;

  /** Begins; where it has begun already, nothing changes. */
  start(): void {
    this.from ??= read();
  }

  end(): void {
    if (this.from !== undefined) this.to ??= read();
  }

  get cpuSeconds(): number {
    return this.from === undefined ? 0 : (this.to ?? read()).cpuSeconds - this.from.cpuSeconds;
  }

  /** Until now, or until the end. */
  used(): RunningUsage {
    const { from } = this;
    if (from === undefined) return { seconds: 0, cpuShare: NaN, cpuWaitShare: NaN };
    const to = this.to ?? read();
    const seconds = to.seconds - from.seconds;
    return {
      seconds,
      cpuShare: (to.cpuSeconds - from.cpuSeconds) / seconds,
      cpuWaitShare: (to.cpuWaitSeconds - from.cpuWaitSeconds) / seconds,
    };
  }
}

function read(): Reading {
  const { user, system } = process.cpuUsage();
  return {
    seconds: nowNs() / 1e9,
    cpuSeconds: (user + system) / 1e6,
    cpuWaitSeconds: runQueueWaitNs() / 1e9,
  };
}
