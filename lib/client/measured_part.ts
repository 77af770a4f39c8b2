import {
  addHistograms,
  addPackedHistograms,
  emptyHistograms,
  resetHistograms,
} from "../stats/client_histograms.ts";
import { afterWorkerEnd } from "../stats/lost_worker.ts";
import type {
  ClientHistograms,
  ClientSnapshot,
  WorkerEnd,
  WorkerState,
} from "../stats/snapshot.ts";
import type { ClientReport } from "./client_job.ts";

/** What is known of one worker's part of a load. Costs 1.4 MB, for its histograms. */
export class MeasuredPart {
  /** Reports since the last `takeInterval`. */
  reports = 0;
  /** When the last of them ended, in nanoseconds since the start of the run. */
  endNs = 0;
  #snapshot: Omit<ClientSnapshot, "histograms">;
  readonly #histograms = emptyHistograms();
  readonly #interval = emptyHistograms();
  readonly #ends: WorkerEnd[] = [];

  constructor(readonly number: number, readonly pid: number, first: ClientReport) {
    this.#snapshot = first.snapshot;
  }

  add({ snapshot, interval, endNs }: ClientReport): void {
    this.#snapshot = snapshot;
    addPackedHistograms(this.#histograms, interval);
    addPackedHistograms(this.#interval, interval);
    this.reports++;
    this.endNs = Math.max(this.endNs, endNs);
  }

  /** The last report, which brings no histograms. */
  finish({ snapshot }: ClientReport): void {
    this.#snapshot = snapshot;
  }

  /** The worker has gone before its work was done; what was going on is lost. */
  end(reason: string, atMs: number): void {
    const { snapshot, end } = afterWorkerEnd(this.#snapshot, { pid: this.pid, atMs, reason });
    this.#snapshot = snapshot;
    this.#ends.push(end);
  }

  /** Adds what was recorded since the last time. */
  takeInterval(to: ClientHistograms): void {
    addHistograms(to, this.#interval);
    resetHistograms(this.#interval);
    this.reports = 0;
  }

  snapshot(): ClientSnapshot {
    return { ...this.#snapshot, histograms: this.#histograms, workers: [this.#state()] };
  }

  #state(): WorkerState {
    const { connections, generator } = this.#snapshot;
    return {
      number: this.number,
      pid: this.pid,
      open: connections.open,
      cpuSeconds: generator.cpuUserSeconds + generator.cpuSystemSeconds,
      rssBytes: generator.rssBytes,
      openFds: generator.openFds,
      steadyCpuShare: generator.steadyCpuShare,
      steadyCpuWaitShare: generator.steadyCpuWaitShare,
      latenessP99Ns: this.#histograms.lateness.percentileNs(99),
      ends: [...this.#ends],
    };
  }
}
