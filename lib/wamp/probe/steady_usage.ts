import process from "node:process";
import { runQueueWaitNs } from "../../host/run_queue.ts";
import { readProcessUsage } from "../../stats/process_usage.ts";
import type { ProbeUsage } from "./snapshot.ts";

/** What this process uses, and which part of it in the steady phase. */
export class SteadyUsage {
  #atBegin = { seconds: 0, waitNs: 0 };
  #atEnd: { readonly seconds: number; readonly waitNs: number } | undefined;

  begin(): void {
    this.#atBegin = readCpu();
  }

  end(): void {
    this.#atEnd = readCpu();
  }

  /** @param steadySeconds how long the steady phase is until now. */
  read(steadySeconds: number): ProbeUsage {
    const { voluntaryContextSwitches, involuntaryContextSwitches } = process.resourceUsage();
    const cpu = this.#atEnd ?? readCpu();
    const hasBegun = steadySeconds > 0;
    const share = hasBegun ? (cpu.seconds - this.#atBegin.seconds) / steadySeconds : 0;
    const waitedSeconds = (cpu.waitNs - this.#atBegin.waitNs) / 1e9;
    return {
      ...readProcessUsage(),
      contextSwitches: voluntaryContextSwitches + involuntaryContextSwitches,
      steadyCpuShare: share,
      busiestCpuShare: share,
      steadyCpuWaitShare: hasBegun ? waitedSeconds / steadySeconds : NaN,
    };
  }
}

function readCpu(): { seconds: number; waitNs: number } {
  const { user, system } = process.cpuUsage();
  return { seconds: (user + system) / 1e6, waitNs: runQueueWaitNs() };
}
