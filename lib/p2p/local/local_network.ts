import { HostLimitError, InterruptedError, messageOf } from "../../errors.ts";
import { formatElapsed } from "../../stats/figures.ts";
import type { RunIdentity } from "../../stats/snapshot.ts";
import type { WorkerLimits } from "../../workers/worker_process.ts";
import type { NetworkProtocol } from "../network/network.ts";
import type { BroadcastNodeSettings } from "../node/node_settings.ts";
import { freePorts } from "./free_ports.ts";
import { NetworkBooks } from "./network_books.ts";
import { loopback, type NetworkPlan, receiversEach } from "./network_plan.ts";
import { snapshotOf } from "./network_state.ts";
import { NetworkTrials } from "./network_trials.ts";
import { NodeOutages } from "./node_outages.ts";
import { NodeProcess } from "./node_process.ts";
import type { NodeJob, NodeReport } from "./node_report.ts";
import { OutageLog } from "./outage_log.ts";
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
  /** When the first message was due, in the nodes' nanoseconds; NaN: not yet. */
  beginNs = NaN;
  /** When the plan was over. */
  endNs = NaN;
  readonly #originSeconds: number;
  readonly #startedMs = performance.now();
  readonly #ports: readonly number[];
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  /** Starts that are under way. */
  readonly #starting = new Set<Promise<unknown>>();
  readonly #giveUp = new AbortController();
  #endedMs = NaN;

  /** @throws {HostLimitError} there are not enough free ports. */
  constructor(of: LocalNetworkSettings) {
    this.of = of;
    const { plan, protocol } = of;
    const { numNodes, firstPort } = plan;
    this.#originSeconds = Math.floor(Date.now() / 1000);
    this.#ports = firstPort === undefined
      ? freePorts(numNodes, loopback)
      : Array.from({ length: numNodes }, (_, id) => firstPort + id);
    this.trials = plan.mode === "explore"
      ? new NetworkTrials(plan, protocol, this.#originSeconds)
      : undefined;
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
      }, { ...of.limits ?? usualLimits, signal: this.#giveUp.signal }));
  }

  get elapsedMs(): number {
    return (Number.isNaN(this.#endedMs) ? performance.now() : this.#endedMs) - this.#startedMs;
  }

  /** How much of the plan is over. */
  get runningMs(): number {
    if (Number.isNaN(this.beginNs)) return 0;
    const untilNs = Number.isNaN(this.endNs) ? this.nowNs() : this.endNs;
    return Math.max(0, (untilNs - this.beginNs) / 1e6);
  }

  /** Nanoseconds since the run's origin by the real-time clock, to the millisecond. */
  nowNs(): number {
    return (Date.now() - this.#originSeconds * 1000) * 1e6;
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
      await until(() => !Number.isNaN(this.fullMeshAfterMs) || this.#isDeserted(), {
        withinMs: plan.connectTimeoutMs,
        signal,
      });
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
      this.#endedMs = performance.now();
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
    const starting = node.start(this.#jobOf(node.id));
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

  #jobOf(id: number): NodeJob {
    const { plan, protocol, run } = this.of;
    const settings: Omit<BroadcastNodeSettings, "note"> = {
      run,
      nodeId: id,
      numNodes: plan.numNodes,
      protocol,
      listenHost: loopback,
      listenPort: this.#ports[id]!,
      bootstrap: this.#ports.map((port) => `/ip4/${loopback}/tcp/${port}`),
      quic: false,
      mode: plan.mode,
      broadcaster: plan.broadcaster,
      messageBytes: plan.messageBytes,
      heartbeatMs: plan.heartbeatMs,
      roundSeconds: plan.roundSeconds,
      explore: plan.explore,
      bufferSize: plan.bufferSize,
      originSeconds: this.#originSeconds,
      begin: "told",
      connectTimeoutMs: plan.connectTimeoutMs,
      drainMs: plan.drainMs,
      ...(this.trials === undefined ? {} : { exploreFirstPeriod: this.trials.firstPeriod }),
    };
    const metricPort = plan.metricPorts?.[id];
    return {
      settings,
      metrics: metricPort === undefined ? undefined : { hostname: loopback, port: metricPort },
    };
  }

  #begin(): void {
    const { kill } = this.of.plan;
    const nowNs = this.nowNs();
    this.beginNs = this.trials?.beginNs ?? nowNs + leadMs * 1e6;
    for (const node of this.nodes) this.#tellBegin(node, this.beginNs);
    this.phase = "running";
    if (kill === undefined) return;
    this.#later((this.beginNs - nowNs) / 1e6 + kill.atMs, () => {
      for (const id of kill.nodes) void this.nodes[id]!.kill();
    });
  }

  #tellBegin(node: NodeProcess, atNs: number): void {
    const untilNs = this.beginNs + this.of.plan.durationMs * 1e6;
    node.send({ type: "begin", atNs, untilNs });
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
    if (this.#isDeserted() || this.runningMs >= plan.durationMs) return true;
    if (this.trials === undefined) return false;
    this.trials.settle(this.books, this.nowNs());
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
    this.endNs = Math.max(this.beginNs, this.nowNs());
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
    this.trials?.settleBegun(this.books, this.endNs);
    this.books.settleUpTo(Infinity);
  }

  #received(node: NodeProcess, report: NodeReport): void {
    this.outages.records(node.id, report.records);
    this.books.record(node.id, report.records);
    this.outages.look(node, this.nowNs());
    if (Number.isNaN(this.fullMeshAfterMs) && this.nodes.every((each) => each.isConnected)) {
      this.fullMeshAfterMs = this.elapsedMs;
    }
  }

  #ended(node: NodeProcess, reason: string, isPlanned: boolean): void {
    const { note, plan } = this.of;
    const nowNs = this.nowNs();
    this.outages.down(node, { reason, isPlanned, atNs: nowNs });
    const when = formatElapsed(this.runningMs);
    const restartMs = isPlanned ? plan.kill?.restartAfterMs : undefined;
    note(
      isPlanned
        ? `node ${node.id} (pid ${node.pid}) was killed after ${when}` +
          (restartMs === undefined
            ? ""
            : `, and is started again ${formatElapsed(restartMs)} later`)
        : `node ${node.id} (pid ${node.pid}) ended after ${when}: ${reason}; the run goes on ` +
          `without it`,
    );
    if (restartMs === undefined || this.phase !== "running") return;
    this.#later(restartMs, () => void this.#startAgain(node));
  }

  /** It broadcasts again when it is in the mesh again. */
  async #startAgain(node: NodeProcess): Promise<void> {
    this.outages.started(node, this.nowNs());
    try {
      await this.#start(node);
    } catch (error) {
      node.fail(messageOf(error));
      this.of.note(messageOf(error));
      return;
    }
    await until(() => node.isConnected || !node.isUp, {
      withinMs: this.of.plan.connectTimeoutMs,
      signal: this.#giveUp.signal,
    });
    this.#tellBegin(node, this.nowNs());
  }

  #second(): void {
    if (this.phase !== "done") this.of.second(this.snapshot());
  }
}
