import { HostLimitError } from "../../errors.ts";
import { sharedClockOffsetNs } from "../../host/shared_clock.ts";
import { nowNs } from "../../stats/clock.ts";
import type { RunIdentity, WorkerEnd } from "../../stats/snapshot.ts";
import type { FromWorker, ToWorker } from "../../workers/messages.ts";
import { type Environment, workerEnvironment } from "../../workers/worker_environment.ts";
import { startWorkers, type WorkerProcess } from "../../workers/worker_process.ts";
import type { PublisherReceipts, PublisherTotal } from "./counter_book.ts";
import {
  addPackedProbeHistograms,
  emptyProbeHistograms,
  resetProbeHistograms,
} from "./histograms.ts";
import { mergeProbeSnapshots } from "./merge.ts";
import { type ProbePlan, publishersOf } from "./plan.ts";
import { type Probe, publisherRows, type SecondHandler } from "./probe.ts";
import type { AllPublished, ProbeJob, ProbeReport } from "./probe_job.ts";
import type { ProbeSnapshot } from "./snapshot.ts";

/** Long enough for every process to have heard of an instant before it comes. */
const leadNs = 100e6;

interface Part {
  readonly pid: number;
  snapshot: Omit<ProbeSnapshot, "histograms">;
  readonly histograms: ReturnType<typeof emptyProbeHistograms>;
  totals: readonly PublisherTotal[] | undefined;
  receipts: readonly PublisherReceipts[];
  end: WorkerEnd | undefined;
}

/**
 * A probe of several processes. The plan begins when the sessions of all are subscribed; what all have
 * published is told to all, so that each knows what its subscribers have to wait for.
 */
export class WorkersProbe implements Probe {
  readonly #plan: ProbePlan;
  readonly #second: SecondHandler;
  readonly #note: (line: string) => void;
  readonly #running = new Set<number>();
  readonly #unsettled = new Set<number>();
  readonly #over = Promise.withResolvers<void>();
  readonly #interval = emptyProbeHistograms();
  #workers: readonly WorkerProcess<ProbeReport>[] = [];
  #parts: readonly Part[] = [];
  readonly #reported = new Set<number>();
  #hasBegun = false;
  #hasToldAll = false;
  #startNs = NaN;
  #endedAtStart: string | undefined;

  /** @throws {HoldfastError} a process cannot begin; none is left behind. */
  static async create(
    plan: ProbePlan,
    run: RunIdentity,
    debug: boolean,
    second: SecondHandler,
    note: (line: string) => void,
    environment?: Environment,
  ): Promise<WorkersProbe> {
    const probe = new WorkersProbe(plan, second, note);
    const jobs = Array.from({ length: plan.clients }, (_, client) => ({
      role: "wamp-probe" as const,
      details: { plan: { ...plan, client }, run, debug } satisfies ProbeJob,
    }));
    const started = await startWorkers<ProbeReport>(jobs, (index) => ({
      message: (message) => probe.#received(index, message),
      ended: (reason) => probe.#ended(index, reason),
    }), workerEnvironment(environment, plan.clients));
    probe.#workers = started.map(({ worker }) => worker);
    probe.#parts = started.map(({ worker, report }) => ({
      pid: worker.pid,
      snapshot: report.snapshot,
      histograms: emptyProbeHistograms(),
      totals: undefined,
      receipts: [],
      end: undefined,
    }));
    if (probe.#endedAtStart !== undefined) {
      probe.close();
      throw new HostLimitError(`a process ended as soon as it was ready: ${probe.#endedAtStart}`);
    }
    for (let index = 0; index < plan.clients; index++) {
      probe.#running.add(index);
      probe.#unsettled.add(index);
    }
    return probe;
  }

  private constructor(plan: ProbePlan, second: SecondHandler, note: (line: string) => void) {
    this.#plan = plan;
    this.#second = second;
    this.#note = note;
  }

  snapshot(): ProbeSnapshot {
    const merged = mergeProbeSnapshots(this.#parts.map(({ snapshot, histograms, end }, index) => ({
      ...snapshot,
      histograms,
      ends: end === undefined ? [] : [{ ...end, number: index + 1 }],
    })));
    const receipts = this.#parts.map((part) => part.receipts);
    const isKnown = receipts.some(({ length }) => length > 0);
    return {
      ...merged,
      publisherRows: isKnown ? publisherRows(this.#plan, this.#totals(), receipts) : [],
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = () => this.#tellAll({ type: "stop" });
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    this.#startNs = nowNs() + leadNs;
    this.#tellAll({ type: "start", atNs: this.#startNs + sharedClockOffsetNs() });
    await this.#over.promise;
    signal.removeEventListener("abort", stop);
    await Promise.all(this.#workers.map((worker) => worker.gone));
  }

  close(): void {
    for (const worker of this.#workers) worker.kill();
  }

  #tellAll(message: ToWorker): void {
    for (const index of this.#running) this.#workers[index]!.send(message);
  }

  #received(index: number, message: FromWorker<ProbeReport>): void {
    const part = this.#parts[index];
    if (part === undefined) return;
    switch (message.type) {
      case "report":
        return this.#report(index, part, message.report);
      case "settled":
        this.#unsettled.delete(index);
        return this.#beginOfAll();
      case "note":
        return this.#note(`process ${index + 1}: ${message.line}`);
      case "done":
        part.snapshot = message.report.snapshot;
        part.receipts = message.report.receipts ?? [];
        this.#workers[index]!.release();
        return this.#leave(index);
    }
  }

  #report(index: number, part: Part, { snapshot, interval, published }: ProbeReport): void {
    part.snapshot = snapshot;
    if (published !== undefined) {
      part.totals = published;
      return this.#tellPublished();
    }
    if (interval === undefined) return;
    addPackedProbeHistograms(part.histograms, interval);
    addPackedProbeHistograms(this.#interval, interval);
    this.#reported.add(index);
    this.#endSecond();
  }

  /** A second is over when every process that runs has reported it. */
  #endSecond(): void {
    if (this.#reported.size === 0) return;
    if ([...this.#running].some((index) => !this.#reported.has(index))) return;
    this.#reported.clear();
    this.#second(this.#interval, this.snapshot());
    resetProbeHistograms(this.#interval);
  }

  #totals(): PublisherTotal[] {
    const nothing = { published: 0, unacknowledged: new Float64Array(0) };
    return this.#parts.flatMap(({ totals }, client) =>
      totals ?? Array.from({ length: publishersOf(this.#plan, client) }, () => nothing)
    );
  }

  #tellPublished(): void {
    if (this.#hasToldAll) return;
    if ([...this.#running].some((index) => this.#parts[index]!.totals === undefined)) return;
    this.#hasToldAll = true;
    this.#tellAll({ type: "tell", details: { totals: this.#totals() } satisfies AllPublished });
  }

  /** A process has gone before it was done. */
  #ended(index: number, reason: string): void {
    const part = this.#parts[index];
    if (part === undefined) {
      this.#endedAtStart ??= reason;
      return;
    }
    const { sessions, publications, calls } = part.snapshot;
    const messages = publications.inFlight + calls.inFlight;
    part.end = {
      pid: part.pid,
      atMs: Math.max(0, (nowNs() - this.#startNs) / 1e6),
      reason,
      connections: sessions.open,
      messages,
    };
    part.snapshot = {
      ...part.snapshot,
      phase: "done",
      sessions: { ...sessions, open: 0, lost: sessions.lost + sessions.open },
      publications: {
        ...publications,
        closed: publications.closed + publications.inFlight,
        inFlight: 0,
      },
      calls: { ...calls, closed: calls.closed + calls.inFlight, inFlight: 0 },
    };
    this.#note(
      `process ${index + 1} (pid ${part.pid}) ended: ${reason}; the run goes on without it`,
    );
    this.#unsettled.delete(index);
    this.#leave(index);
    this.#beginOfAll();
    this.#tellPublished();
  }

  #leave(index: number): void {
    this.#running.delete(index);
    if (this.#running.size > 0) return this.#endSecond();
    this.#reported.clear();
    this.#second(this.#interval, this.snapshot());
    this.#over.resolve();
  }

  #beginOfAll(): void {
    if (this.#hasBegun || this.#unsettled.size > 0 || this.#running.size === 0) return;
    this.#hasBegun = true;
    const open = this.#parts.some(({ snapshot }) => snapshot.sessions.opened > 0);
    if (!open) this.#tellAll({ type: "finish" });
    else this.#tellAll({ type: "begin", atNs: nowNs() + leadNs + sharedClockOffsetNs() });
  }
}
