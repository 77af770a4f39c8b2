import { HostLimitError, InterruptedError, messageOf } from "../../errors.ts";
import { formatElapsed } from "../../stats/figures.ts";
import type { RunIdentity } from "../../stats/snapshot.ts";
import { type Environment, workerEnvironment } from "../../workers/worker_environment.ts";
import type { WorkerLimits } from "../../workers/worker_process.ts";
import type { NetworkProtocol } from "../network/network.ts";
import { NetworkBooks } from "./network_books.ts";
import { type NetworkPlan, receiversEach } from "./network_plan.ts";
import { snapshotOf } from "./network_state.ts";
import { NetworkTrials } from "./network_trials.ts";
import { momentText } from "./network_verdict.ts";
import { NodeJobs } from "./node_jobs.ts";
import { NodeOutages } from "./node_outages.ts";
import { NodeProcess } from "./node_process.ts";
import type { NodeReport } from "./node_report.ts";
import { OutageLog } from "./outage_log.ts";
import { RunClock } from "./run_clock.ts";
import type { RunFolder } from "./run_folder.ts";
import type { NetworkPhase, NetworkSnapshot } from "./snapshot.ts";
import { until } from "./until.ts";

/** Long enough for every node to have heard of an instant before it comes. */
const leadMs = 200;
/** Beyond the drain, for a host that is busy. */
const finishMs = 10_000;
const stopMs = 20_000;
const secondMs = 1_000;
const usualLimits: WorkerLimits = { startMs: 60_000, silenceMs: 20_000 };

export interface LocalNetworkSettings {
  readonly plan: NetworkPlan;
  readonly protocol: NetworkProtocol;
  readonly run: RunIdentity;
  readonly folder: RunFolder;
  /** A line for the user. */
  readonly note: (line: string) => void;
  /** Each second, and at the end. */
  readonly second: (snapshot: NetworkSnapshot) => void;
  readonly limits?: WorkerLimits;
  /** The environment of this process. */
  readonly environment?: Environment | undefined;
}

/**
 * A network of processes on this host: starts them, lets them broadcast when all are connected to all,
 * and keeps the books of what they say. A node that ends is not started again, unless the plan
 * has killed it and says so.
 */
export class LocalNetwork {
  readonly of: LocalNetworkSettings;
  readonly nodes: readonly NodeProcess[];
  readonly books: NetworkBooks;
  readonly outages: OutageLog;
  readonly trials: NetworkTrials | undefined;
  phase: NetworkPhase = "starting";
  interrupted = false;
  fullMeshAfterMs = NaN;
  readonly clock: RunClock;
  readonly #jobs: NodeJobs;
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  /** Starts that are under way. */
  readonly #starting = new Set<Promise<unknown>>();
  readonly #giveUp = new AbortController();

  /** @throws {HostLimitError} there are not enough free ports. */
  constructor(of: LocalNetworkSettings) {
    this.of = of;
    const { plan, protocol } = of;
    const { numNodes } = plan;
    this.clock = new RunClock(plan.warmupMs);
    this.trials = plan.mode === "explore"
      ? new NetworkTrials(plan, protocol, this.clock.originSeconds)
      : undefined;
    this.#jobs = new NodeJobs({
      plan,
      protocol,
      run: of.run,
      originSeconds: this.clock.originSeconds,
      exploreFirstPeriod: this.trials?.firstPeriod,
    });
    const outages = new NodeOutages(numNodes);
    const { trials } = this;
    this.books = new NetworkBooks({
      nodes: numNodes,
      receiversEach: receiversEach(protocol, numNodes),
      outages,
      ...(trials === undefined ? {} : { partOf: (dueNs) => trials.periodOf(dueNs) }),
    });
    this.outages = new OutageLog(outages, this.books);
    this.nodes = Array.from({ length: numNodes }, (_, id) =>
      new NodeProcess(id, {
        report: (node, report) => this.#received(node, report),
        line: (node, line) => of.folder.logLine(node.id, line),
        text: (node, text) => of.folder.log(node.id, text),
        ended: (node, reason, isPlanned) => this.#ended(node, reason, isPlanned),
      }, {
        ...of.limits ?? usualLimits,
        signal: this.#giveUp.signal,
        environment: workerEnvironment(of.environment, numNodes),
      }));
  }

  snapshot(): NetworkSnapshot {
    return snapshotOf(this);
  }

  /**
   * Carries the run out.
   *
   * @throws {HoldfastError} a node could not be started; all others are ended then.
   * @throws {InterruptedError} before all were started.
   */
  async run(signal: AbortSignal): Promise<void> {
    const { plan } = this.of;
    const seconds = setInterval(() => this.#second(), secondMs);
    try {
      await this.#startAll(signal);
      this.phase = "connecting";
      // Without one of them there will be no full mesh.
      const isSettled = () =>
        !Number.isNaN(this.fullMeshAfterMs) || this.nodes.some(({ state }) => state === "lost");
      await until(isSettled, { withinMs: plan.connectTimeoutMs, signal });
      if (!signal.aborted && !this.#isDeserted()) {
        this.#begin();
        await until(() => this.#isOver(), { withinMs: Infinity, signal });
        this.interrupted = signal.aborted;
        await this.#finish();
      } else {
        this.interrupted = signal.aborted;
      }
      await this.#stop();
      this.phase = "done";
      this.clock.stop();
      this.of.second(this.snapshot());
    } finally {
      clearInterval(seconds);
      await this.close();
    }
  }

  /** Ends all processes at once; nothing is left behind when this resolves. */
  async close(): Promise<void> {
    this.#giveUp.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.allSettled(this.#starting);
    await Promise.all(this.nodes.map((node) => node.close()));
  }

  async #startAll(signal: AbortSignal): Promise<void> {
    const giveUp = () => this.#giveUp.abort();
    signal.addEventListener("abort", giveUp);
    try {
      let failure: unknown;
      for (const node of this.nodes) {
        this.#start(node).catch((error) => failure ??= error);
        if (node.id < this.nodes.length - 1) {
          await until(() => failure !== undefined, { withinMs: this.of.plan.staggerMs, signal });
        }
        if (failure !== undefined || signal.aborted) break;
      }
      await until(
        () => failure !== undefined || this.nodes.every(({ state }) => state !== "starting"),
        { withinMs: Infinity, signal },
      );
      if (signal.aborted) throw new InterruptedError("interrupted before all nodes were started");
      if (failure !== undefined) throw failure;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** @throws {HoldfastError} it could not be started. */
  async #start(node: NodeProcess): Promise<void> {
    const starting = node.start(this.#jobs.of(node.id, this.clock.measuredFromNs));
    this.#starting.add(starting);
    try {
      await starting;
    } catch (error) {
      if (error instanceof InterruptedError) throw error;
      throw new HostLimitError(`node ${node.id} did not start: ${messageOf(error)}`, {
        cause: error,
      });
    } finally {
      this.#starting.delete(starting);
    }
  }

  #begin(): void {
    const { kill } = this.of.plan;
    const nowNs = this.clock.nowNs();
    this.clock.begin(this.trials?.beginNs ?? nowNs + leadMs * 1e6);
    this.books.measuredFromNs = this.clock.measuredFromNs;
    for (const node of this.nodes) this.#tellBegin(node, this.clock.beginNs);
    this.phase = "running";
    if (kill === undefined) return;
    this.#later((this.clock.beginNs - nowNs) / 1e6 + kill.atMs, () => {
      for (const id of kill.nodes) void this.nodes[id]!.kill();
    });
  }

  #tellBegin(node: NodeProcess, atNs: number): void {
    const { beginNs, measuredFromNs } = this.clock;
    const untilNs = beginNs + this.of.plan.durationMs * 1e6;
    node.send({ type: "begin", atNs, untilNs, measuredFromNs });
  }

  #later(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    this.#timers.add(timer);
  }

  #isOver(): boolean {
    const { plan } = this.of;
    if (this.#isDeserted() || this.clock.runningMs >= plan.durationMs) return true;
    if (this.trials === undefined) return false;
    this.trials.settle(this.books, this.clock.nowNs());
    return this.trials.areAllSettled || (plan.stopsAtLimit && this.#hasMetLimit());
  }

  #hasMetLimit(): boolean {
    return this.snapshot().explore!.trials.some(({ isSustained }) => !isSustained);
  }

  /** Whether no process is left, and none comes back. */
  #isDeserted(): boolean {
    return this.nodes.every((node) => !node.isUp && node.state !== "starting") &&
      this.#timers.size === 0;
  }

  async #finish(): Promise<void> {
    const { drainMs } = this.of.plan;
    this.phase = "draining";
    this.clock.endNs = Math.max(this.clock.beginNs, this.clock.nowNs());
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const node of this.nodes) node.send({ type: "finish" });
    const sinceMs = performance.now();
    await until(() => this.nodes.every((node) => node.isFinished || !node.isUp), {
      withinMs: drainMs + finishMs,
    });
    // What is due at nodes that were down may never come, and is not waited for alone.
    await until(() => this.outages.nothingOutstandingElsewhere(this.nodes.length), {
      withinMs: Math.max(0, drainMs - (performance.now() - sinceMs)),
    });
  }

  async #stop(): Promise<void> {
    for (const node of this.nodes) node.send({ type: "stop" });
    await until(() => this.nodes.every((node) => !node.isUp), { withinMs: stopMs });
    for (const node of this.nodes.filter(({ isUp }) => isUp)) {
      this.of.note(`node ${node.id} (pid ${node.pid}) does not end, and is killed`);
      node.fail("did not end when it was told to");
    }
    this.trials?.settleBegun(this.books, this.clock.endNs);
    this.books.settleUpTo(Infinity);
  }

  #received(node: NodeProcess, report: NodeReport): void {
    this.outages.records(node.id, report.records);
    this.books.record(node.id, report.records);
    this.outages.look(node, this.clock.nowNs());
    if (Number.isNaN(this.fullMeshAfterMs) && this.nodes.every((each) => each.isConnected)) {
      this.fullMeshAfterMs = this.clock.elapsedMs;
    }
  }

  #ended(node: NodeProcess, reason: string, isPlanned: boolean): void {
    const { note, plan } = this.of;
    const nowNs = this.clock.nowNs();
    this.outages.down(node, { reason, isPlanned, atNs: nowNs });
    const when = momentText((nowNs - this.clock.beginNs) / 1e6);
    const restartMs = isPlanned ? plan.kill?.restartAfterMs : undefined;
    note(
      isPlanned
        ? `node ${node.id} (pid ${node.pid}) was killed ${when}` +
          (restartMs === undefined
            ? ""
            : `, and is started again ${formatElapsed(restartMs)} later`)
        : `node ${node.id} (pid ${node.pid}) ended ${when}: ${reason}; the run goes on ` +
          `without it`,
    );
    if (restartMs === undefined || this.phase !== "running") return;
    this.#later(restartMs, () => void this.#startAgain(node));
  }

  /** It broadcasts again when it is in the mesh again. */
  async #startAgain(node: NodeProcess): Promise<void> {
    const { signal } = this.#giveUp;
    this.outages.started(node, this.clock.nowNs());
    try {
      await this.#start(node);
    } catch (error) {
      // The run may have ended meanwhile.
      if (!signal.aborted) node.fail(messageOf(error));
      return;
    }
    const withinMs = this.of.plan.connectTimeoutMs;
    await until(() => node.isConnected || !node.isUp || this.phase !== "running", {
      withinMs,
      signal,
    });
    if (this.phase === "running") this.#tellBegin(node, this.clock.nowNs());
    else node.send({ type: "finish" });
  }

  #second(): void {
    if (this.phase !== "done") this.of.second(this.snapshot());
  }
}
