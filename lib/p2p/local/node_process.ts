import type { FromWorker, ToWorker } from "../../workers/messages.ts";
import { type WorkerLimits, WorkerProcess } from "../../workers/worker_process.ts";
import { totalDropped } from "../snapshot.ts";
import type { NodeJob, NodeReport, PackedNodeSnapshot } from "./node_report.ts";
import type { NodeState } from "./snapshot.ts";

export interface NodeProcessHandlers {
  /** In the order in which the node said it. */
  report(node: NodeProcess, report: NodeReport): void;
  /** A line for the log of the node. */
  line(node: NodeProcess, line: string): void;
  /** What it wrote to stderr, for its log too. */
  text(node: NodeProcess, text: string): void;
  /** Its process has ended without being asked to, or was killed by `kill`. */
  ended(node: NodeProcess, reason: string, isPlanned: boolean): void;
}

/** A node speaks ten times a second; on a busy host it may be late. */
const silenceMs = 3_000;

/** What the processes of a node that are gone had done, as far as they had said so. */
export interface EarlierProcess {
  readonly snapshot: PackedNodeSnapshot;
  /** Due, and neither sent nor dropped when it ended. */
  readonly gone: number;
}

/** A node of the network and the process that is it, which may be another one after a while. */
export class NodeProcess {
  readonly id: number;
  state: NodeState = "starting";
  isConnected = false;
  isFinished = false;
  starts = 0;
  pid = NaN;
  /** Its own `/metrics`, `/stats` and page, where it serves them. */
  url: string | undefined;
  /** The last that it said about itself. */
  snapshot: PackedNodeSnapshot | undefined;
  readonly earlier: EarlierProcess[] = [];
  #worker: WorkerProcess<NodeReport> | undefined;
  #isClosed = false;
  #heardAtMs = NaN;
  readonly #handlers: NodeProcessHandlers;
  readonly #limits: WorkerLimits;
  readonly #decoder = new TextDecoder();

  constructor(id: number, handlers: NodeProcessHandlers, limits: WorkerLimits) {
    this.id = id;
    this.#handlers = handlers;
    this.#limits = limits;
  }

  /**
   * Starts a process, which listens when this resolves.
   *
   * @throws {HoldfastError} it cannot begin, ended or did not get ready; it is gone then.
   */
  async start(job: NodeJob): Promise<void> {
    this.state = "starting";
    this.isConnected = false;
    this.isFinished = false;
    this.starts++;
    const process = this.starts;
    const { worker, report } = await WorkerProcess.start<NodeReport>(
      { role: "p2p-node", details: job },
      {
        message: (message) => this.#received(process, message),
        ended: (reason) => this.#hasEnded(process, reason, false),
        errorText: (chunk) =>
          this.#handlers.text(this, this.#decoder.decode(chunk, { stream: true })),
      },
      this.#limits,
    );
    if (this.#isClosed) {
      worker.kill();
      return await worker.gone;
    }
    this.#worker = worker;
    this.pid = worker.pid;
    this.state = "connecting";
    this.snapshot = report.snapshot;
    const addresses = report.snapshot?.addresses.join(" ") ?? "";
    this.#handlers.line(this, `process ${worker.pid} listens on ${addresses}`);
    // From now on it must be heard of.
    worker.send({ type: "start", atNs: 0 });
    const { metrics } = job;
    this.url = metrics === undefined ? undefined : `http://${metrics.hostname}:${metrics.port}/`;
    this.#take(report);
  }

  /** Whether it has not been heard of for a while. */
  get isSilent(): boolean {
    return this.isUp && performance.now() - this.#heardAtMs > silenceMs;
  }

  send(message: ToWorker): void {
    this.#worker?.send(message);
  }

  /** Whether there is a process that does its part. */
  get isUp(): boolean {
    return this.state === "connecting" || this.state === "up";
  }

  /** Kills the process with SIGKILL, as the plan wants it. */
  async kill(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined || !this.isUp) return;
    worker.kill();
    this.state = "killed";
    await worker.gone;
    this.#hasEnded(this.starts, "SIGKILL", true);
  }

  /** Ends it for what it does not do; that counts as its own end. */
  fail(reason: string): void {
    this.#worker?.kill();
    this.#hasEnded(this.starts, reason, false);
  }

  /** Kills whatever process there is; that is no event any more. Resolves when it is gone. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#isClosed = true;
    if (this.state === "starting") this.state = "killed";
    worker?.kill();
    await worker?.gone;
  }

  #received(process: number, message: FromWorker<NodeReport>): void {
    if (process !== this.starts) return;
    switch (message.type) {
      case "report":
        return this.#take(message.report);
      case "note":
        return this.#handlers.line(this, message.line);
      case "done":
        this.#take(message.report);
        this.state = "done";
        this.isFinished = true;
        this.#handlers.line(this, "is done");
        this.#worker!.release();
        return;
    }
  }

  #take(report: NodeReport): void {
    this.#heardAtMs = performance.now();
    if (report.snapshot !== undefined) this.snapshot = report.snapshot;
    this.isConnected = report.isConnected;
    if (report.isFinished) this.isFinished = true;
    if (this.state === "connecting" && report.isConnected) {
      this.state = "up";
      this.#handlers.line(this, "is connected to all others");
    }
    this.#handlers.report(this, report);
  }

  #hasEnded(process: number, reason: string, isPlanned: boolean): void {
    if (process !== this.starts) return;
    this.state = isPlanned ? "killed" : "lost";
    this.isConnected = false;
    this.isFinished = true;
    this.#worker = undefined;
    const { snapshot } = this;
    if (snapshot !== undefined) {
      const { due, sent } = snapshot.broadcast;
      const gone = due - sent - totalDropped(snapshot.broadcast);
      this.earlier.push({ snapshot, gone });
      this.snapshot = undefined;
    }
    this.#handlers.line(this, isPlanned ? "was killed, as planned" : `ended: ${reason}`);
    this.#handlers.ended(this, reason, isPlanned);
  }
}
