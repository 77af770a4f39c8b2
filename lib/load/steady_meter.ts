import { runQueueWaitNs } from "../host/run_queue.ts";
import { nowNs } from "../stats/clock.ts";
import type { Receiver } from "./receiver.ts";
import type { Sender } from "./sender.ts";

interface Reading {
  /** The monotonic clock; of what was used, the time in which it was. */
  readonly seconds: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly cpuSeconds: number;
  readonly cpuWaitSeconds: number;
}

const nothing: Reading = {
  seconds: 0,
  sentBytes: 0,
  receivedBytes: 0,
  cpuSeconds: 0,
  cpuWaitSeconds: 0,
};

/**
 * What the steady phase used: bytes in both directions, CPU time of this process, and the time for
 * which it waited for a CPU (NaN where the system does not tell).
 */
export class SteadyMeter {
  private from: Reading | undefined;
  private to: Reading | undefined;

  constructor(private readonly sender: Sender, private readonly receiver: Receiver) {}

  /** The phase begins; where that was said before, it has begun then. */
  start(): void {
    this.from ??= this.read();
  }

  end(): void {
    this.to = this.read();
  }

  /** Used from the start of the phase until now, or until its end. */
  used(): Reading {
    if (this.from === undefined) return nothing;
    const to = this.to ?? this.read();
    return {
      // Not the length of the phase: a generator with more to do than it can notices its end late.
      seconds: to.seconds - this.from.seconds,
      sentBytes: to.sentBytes - this.from.sentBytes,
      receivedBytes: to.receivedBytes - this.from.receivedBytes,
      cpuSeconds: to.cpuSeconds - this.from.cpuSeconds,
      cpuWaitSeconds: to.cpuWaitSeconds - this.from.cpuWaitSeconds,
    };
  }

  private read(): Reading {
    const { user, system } = process.cpuUsage();
    return {
      seconds: nowNs() / 1e9,
      sentBytes: this.sender.bytesSent,
      receivedBytes: this.receiver.bytesReceived,
      cpuSeconds: (user + system) / 1e6,
      cpuWaitSeconds: runQueueWaitNs() / 1e9,
    };
  }
}
