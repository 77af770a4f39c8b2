import { HostLimitError } from "../errors.ts";
import { sharedClockOffsetNs } from "../host/shared_clock.ts";
import { shareOfSources, type SourceTableSettings } from "../host/source_table.ts";
import { emptyHistograms, resetHistograms } from "../stats/client_histograms.ts";
import { nowNs } from "../stats/clock.ts";
import { mergeClientSnapshots } from "../stats/merge.ts";
import type { ClientSnapshot, RunIdentity } from "../stats/snapshot.ts";
import { type Endpoint, formatEndpoint } from "../transport/endpoint.ts";
import type { FromWorker, ToWorker } from "../workers/messages.ts";
import { startWorkers, type WorkerProcess } from "../workers/worker_process.ts";
import type { ClientJob, ClientReport } from "./client_job.ts";
import { MeasuredPart } from "./measured_part.ts";
import type { Measurement, SecondHandler } from "./measurement.ts";
import type { ClientSettings } from "./options.ts";

/** An interval ends without the workers that have not reported for so long. */
const longestIntervalMs = 1_500;

/** Long enough for every worker to have heard of an instant before it comes. */
const leadNs = 100e6;

export interface WorkersMeasurementSettings {
  readonly endpoint: Endpoint;
  readonly settings: ClientSettings;
  readonly scheduleText: string | undefined;
  /** Of all workers together. */
  readonly sources: SourceTableSettings | undefined;
  readonly run: RunIdentity;
  readonly workers: number;
  readonly second: SecondHandler;
  /** A worker has something to say. */
  readonly note: (line: string) => void;
}

/**
 * A load that several worker processes generate, each its share, from the same instant on.
 *
 * Each second they report, and the parts are added up when all of them have. The plan begins when the
 * connections of all are open: at an instant that is sent to all. A worker that ends early leaves what
 * it has reported, and the others go on.
 */
export class WorkersMeasurement implements Measurement {
  readonly #of: WorkersMeasurementSettings;
  #workers: readonly WorkerProcess<ClientReport>[] = [];
  #parts: readonly MeasuredPart[] = [];
  readonly #running = new Set<number>();
  readonly #unsettled = new Set<number>();
  readonly #over = Promise.withResolvers<void>();
  readonly #interval = emptyHistograms();
  #endedAtStart: string | undefined;
  #hasBegun = false;
  #startNs = NaN;
  #intervalStartNs = 0;
  #intervalEndedMs = 0;

  /**
   * Starts the workers and lets them prepare their shares; connects nothing yet.
   *
   * @throws {HoldfastError} a worker cannot begin; none is left behind.
   */
  static async create(of: WorkersMeasurementSettings): Promise<WorkersMeasurement> {
    const measurement = new WorkersMeasurement(of);
    const jobs = Array.from({ length: of.workers }, (_, index) => ({
      role: "client" as const,
      details: jobOf(of, index),
    }));
    const started = await startWorkers<ClientReport>(jobs, (index) => ({
      message: (message) => measurement.#received(index, message),
      ended: (reason) => measurement.#ended(index, reason),
    }));
    measurement.#workers = started.map(({ worker }) => worker);
    measurement.#parts = started.map(({ worker, report }, index) =>
      new MeasuredPart(index + 1, worker.pid, report)
    );
    if (measurement.#endedAtStart !== undefined) {
      measurement.close();
      throw new HostLimitError(
        `a worker ended as soon as it was ready: ${measurement.#endedAtStart}`,
      );
    }
    for (let index = 0; index < of.workers; index++) {
      measurement.#running.add(index);
      measurement.#unsettled.add(index);
    }
    return measurement;
  }

  private constructor(of: WorkersMeasurementSettings) {
    this.#of = of;
  }

  snapshot(): ClientSnapshot {
    return mergeClientSnapshots(this.#parts.map((part) => part.snapshot()));
  }

  async run(signal: AbortSignal, startNs = nowNs() + leadNs): Promise<void> {
    const stop = () => this.#tellAll({ type: "stop" });
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    this.#startNs = startNs;
    this.#tellAll({ type: "start", atNs: startNs + sharedClockOffsetNs() });
    this.#intervalEndedMs = performance.now();
    const stragglers = setInterval(() => this.#endLongInterval(), longestIntervalMs / 3);
    await this.#over.promise;
    clearInterval(stragglers);
    signal.removeEventListener("abort", stop);
    await Promise.all(this.#workers.map((worker) => worker.gone));
  }

  finish(): void {
    this.#tellAll({ type: "finish" });
  }

  close(): void {
    for (const worker of this.#workers) worker.kill();
  }

  #tellAll(message: ToWorker): void {
    for (const index of this.#running) this.#workers[index]!.send(message);
  }

  #received(index: number, message: FromWorker<ClientReport>): void {
    const part = this.#parts[index];
    if (part === undefined) return;
    switch (message.type) {
      case "report":
        part.add(message.report);
        return this.#endIntervalOfAll();
      case "settled":
        this.#unsettled.delete(index);
        return this.#beginOfAll();
      case "note":
        return this.#of.note(`worker ${part.number}: ${message.line}`);
      case "done":
        part.finish(message.report);
        this.#workers[index]!.release();
        return this.#leave(index);
    }
  }

  /** A worker has gone before it was done. */
  #ended(index: number, reason: string): void {
    const part = this.#parts[index];
    if (part === undefined) {
      this.#endedAtStart ??= reason;
      return;
    }
    const atMs = Math.max(0, (nowNs() - this.#startNs) / 1e6);
    part.end(reason, atMs);
    const seconds = (atMs / 1000).toFixed(1);
    this.#of.note(
      `worker ${part.number} (pid ${part.pid}) ended after ${seconds} s: ${reason}; ` +
        `the run goes on without it`,
    );
    this.#unsettled.delete(index);
    this.#leave(index);
    this.#beginOfAll();
  }

  #leave(index: number): void {
    this.#running.delete(index);
    this.#endIntervalOfAll();
    if (this.#running.size > 0) return;
    if (this.#parts.some(({ reports }) => reports > 0)) this.#endInterval();
    this.#over.resolve();
  }

  #beginOfAll(): void {
    if (this.#hasBegun || this.#unsettled.size > 0 || this.#running.size === 0) return;
    this.#hasBegun = true;
    this.#tellAll({ type: "begin", atNs: nowNs() + leadNs + sharedClockOffsetNs() });
  }

  /** Ends the interval when every worker that runs has reported in it. */
  #endIntervalOfAll(): void {
    const isComplete = this.#running.size > 0 &&
      [...this.#running].every((index) => this.#parts[index]!.reports > 0);
    if (isComplete) this.#endInterval();
  }

  #endLongInterval(): void {
    if (performance.now() - this.#intervalEndedMs < longestIntervalMs) return;
    if (this.#parts.some(({ reports }) => reports > 0)) this.#endInterval();
  }

  #endInterval(): void {
    this.#intervalEndedMs = performance.now();
    const endNs = Math.max(this.#intervalStartNs, ...this.#parts.map((part) => part.endNs));
    for (const part of this.#parts) part.takeInterval(this.#interval);
    this.#of.second(this.#interval, this.#intervalStartNs, endNs, this.snapshot());
    resetHistograms(this.#interval);
    this.#intervalStartNs = endNs;
  }
}

function jobOf(of: WorkersMeasurementSettings, index: number): ClientJob {
  const { endpoint, settings, scheduleText, sources, run, workers } = of;
  return {
    endpoint: formatEndpoint(endpoint),
    settings,
    scheduleText,
    share: { index, of: workers, connections: settings.connections },
    sources: sources === undefined ? undefined : shareOfSources(sources, index, workers),
    run,
  };
}
