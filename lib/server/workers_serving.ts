import { HostLimitError, messageOf } from "../errors.ts";
import { sharedClockOffsetNs } from "../host/shared_clock.ts";
import { dealt } from "../load/share.ts";
import { nowNs } from "../stats/clock.ts";
import { formatElapsed } from "../stats/figures.ts";
import { mergeServerCounts, sumUsage } from "../stats/merge.ts";
import { schemaVersion, type ServerSnapshot } from "../stats/snapshot.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "../transport/endpoint.ts";
import type { FromWorker, Job } from "../workers/messages.ts";
import { startWorkers, type WorkerHandlers, WorkerProcess } from "../workers/worker_process.ts";
import { dividedNotes, divideEndpoints, type EndpointShare } from "./divided_endpoints.ts";
import { ServedPart } from "./served_part.ts";
import type { ServerJob, ServerReport } from "./server_job.ts";
import type { Serving, ServingSettings } from "./serving.ts";

/** A worker that ends is started again after this long, and twice as long each further time. */
const firstRestartMs = 100;
const longestRestartMs = 5_000;
/** One that ran for so long has proved that it can: its next end is a first one again. */
const provenMs = 10_000;
/** So many ends in a row without that, and it is given up. */
const mostEndsInRow = 8;

export interface WorkersServingSettings extends ServingSettings {
  readonly workers: number;
}

/** One of the workers, and what it takes to start it again. */
interface Post {
  readonly part: ServedPart;
  readonly shares: readonly EndpointShare[];
  job: Job;
  worker: WorkerProcess<ServerReport> | undefined;
  startedNs: number;
  endsInRow: number;
  restart: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Endpoints that several worker processes serve together: the kernel spreads connections and
 * datagrams over those that share a port. A worker that ends is started again.
 */
export class WorkersServing implements Serving {
  readonly failed: Promise<Error>;
  readonly #of: WorkersServingSettings;
  readonly #posts: readonly Post[];
  readonly #fail: (error: Error) => void;
  #names: readonly string[] = [];
  #isStarting = true;
  #endedAtStart: string | undefined;
  #isStopping = false;

  /**
   * Starts the workers, each with all its endpoints bound.
   *
   * @throws {HoldfastError} one of them cannot begin; none is left behind.
   */
  static async start(of: WorkersServingSettings): Promise<WorkersServing> {
    const shares = divideEndpoints(of.endpoints, of.workers);
    const posts = shares.map((shares, index): Post => ({
      part: new ServedPart(index + 1),
      shares,
      job: jobOf(of, index, shares),
      worker: undefined,
      startedNs: NaN,
      endsInRow: 0,
      restart: undefined,
    }));
    const serving = new WorkersServing(of, posts);
    try {
      await serving.#startAll();
    } catch (error) {
      await serving.#killAll();
      throw error;
    }
    for (const line of dividedNotes(of.endpoints, of.workers)) of.note(line);
    return serving;
  }

  private constructor(of: WorkersServingSettings, posts: readonly Post[]) {
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.#of = of;
    this.#posts = posts;
    this.failed = promise;
    this.#fail = resolve;
  }

  get names(): readonly string[] {
    return this.#names;
  }

  async #startAll(): Promise<void> {
    const posts = this.#posts;
    const handlersOf = (index: number): WorkerHandlers<ServerReport> => ({
      message: (message) => this.#received(index, message),
      ended: (reason) => this.#ended(index, reason),
    });
    // Where the kernel chooses a port, it does so for the first worker, and the others follow.
    const first = await WorkerProcess.start(posts[0]!.job, handlersOf(0));
    begin(posts[0]!, first.worker, first.report);
    const bound = first.report.endpoints.map(({ endpoint }) => parseEndpoint(endpoint));
    const resolved = (share: EndpointShare) => withPort(share, bound, posts[0]!);
    for (const [index, post] of posts.entries()) {
      post.job = jobOf(this.#of, index, post.shares.map(resolved));
    }
    const others = await startWorkers(
      posts.slice(1).map(({ job }) => job),
      (index) => handlersOf(index + 1),
    );
    for (const [index, { worker, report }] of others.entries()) {
      begin(posts[index + 1]!, worker, report);
    }
    this.#names = this.#of.endpoints.map((endpoint, position) =>
      formatEndpoint(resolved({ position, endpoint }).endpoint)
    );
    if (this.#endedAtStart !== undefined) {
      throw new HostLimitError(`a worker ended as soon as it served: ${this.#endedAtStart}`);
    }
    this.#isStarting = false;
  }

  async #killAll(): Promise<void> {
    for (const { worker } of this.#posts) worker?.kill();
    await Promise.all(this.#posts.map(({ worker }) => worker?.gone));
  }

  snapshot(): ServerSnapshot {
    const endpoints = this.names.map((endpoint, position) => ({
      endpoint,
      counts: mergeServerCounts(
        this.#posts.flatMap(({ part, shares }) =>
          part.countsAt(shares.findIndex((share) => share.position === position))
        ),
      ),
    }));
    return {
      schemaVersion,
      role: "server",
      run: this.#of.run,
      elapsedMs: this.#elapsedMs(),
      endpoints,
      total: mergeServerCounts(endpoints.map(({ counts }) => counts)),
      process: sumUsage(this.#posts.map(({ part }) => part.usage())),
      workers: this.#posts.map(({ part }) => part.state()),
    };
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#posts.map(async (post) => {
      clearTimeout(post.restart);
      post.worker?.send({ type: "stop" });
      await post.worker?.gone;
    }));
  }

  #received(index: number, message: FromWorker<ServerReport>): void {
    const { part, worker } = this.#posts[index]!;
    switch (message.type) {
      case "report":
        return part.update(message.report);
      case "note":
        return this.#of.note(`worker ${part.number}: ${message.line}`);
      case "done":
        part.update(message.report);
        return worker?.release();
    }
  }

  /** A worker has gone without having been told to. */
  #ended(index: number, reason: string): void {
    if (this.#isStarting) {
      this.#endedAtStart ??= reason;
      return;
    }
    const post = this.#posts[index]!;
    const { part } = post;
    part.end(reason, this.#elapsedMs());
    post.worker = undefined;
    const was = `worker ${part.number} (pid ${part.pid}) ended after ` +
      `${formatElapsed(this.#elapsedMs())}: ${reason}`;
    if (this.#isStopping) return this.#of.note(was);
    post.endsInRow = nowNs() - post.startedNs > provenMs * 1e6 ? 1 : post.endsInRow + 1;
    this.#of.note(`${was}; ${this.#restartLater(post)}`);
  }

  /** Returns what is going to happen, in words. */
  #restartLater(post: Post): string {
    if (post.endsInRow >= mostEndsInRow) {
      if (
        this.#posts.every(({ worker, restart }) => worker === undefined && restart === undefined)
      ) {
        this.#fail(new HostLimitError("no worker is left to serve; see why they ended"));
      }
      return `it ended ${post.endsInRow} times in a row and is not started again`;
    }
    const waitMs = Math.min(firstRestartMs * 2 ** (post.endsInRow - 1), longestRestartMs);
    post.restart = setTimeout(() => void this.#restart(post), waitMs);
    return `it is started again in ${formatElapsed(waitMs)}`;
  }

  async #restart(post: Post): Promise<void> {
    const index = this.#posts.indexOf(post);
    try {
      const { worker, report } = await WorkerProcess.start<ServerReport>(post.job, {
        message: (message) => this.#received(index, message),
        ended: (reason) => this.#ended(index, reason),
      });
      post.restart = undefined;
      begin(post, worker, report);
      if (this.#isStopping) worker.send({ type: "stop" });
      else this.#of.note(`worker ${post.part.number} serves again (pid ${worker.pid})`);
    } catch (error) {
      post.restart = undefined;
      post.endsInRow++;
      const what = `worker ${post.part.number} could not be started: ${messageOf(error)}`;
      if (!this.#isStopping) this.#of.note(`${what}; ${this.#restartLater(post)}`);
    }
  }

  #elapsedMs(): number {
    return (nowNs() - this.#of.startNs) / 1e6;
  }
}

function begin(post: Post, worker: WorkerProcess<ServerReport>, report: ServerReport): void {
  post.worker = worker;
  post.startedNs = nowNs();
  post.part.begin(worker.pid, report);
}

/** An endpoint with the port that the first worker has bound, where none was named. */
function withPort(share: EndpointShare, bound: readonly Endpoint[], first: Post): EndpointShare {
  const { position, endpoint } = share;
  if (endpoint.port !== 0) return share;
  const place = first.shares.findIndex((own) => own.position === position);
  const { port, lastPort } = bound[place]!;
  return { position, endpoint: { ...endpoint, port, lastPort } };
}

function jobOf(
  of: WorkersServingSettings,
  index: number,
  shares: readonly EndpointShare[],
): Job {
  const { settings, certificate, run, serverId, startNs, workers } = of;
  const { maxConnections } = settings;
  const details: ServerJob = {
    endpoints: shares.map(({ endpoint }) => formatEndpoint(endpoint)),
    settings: {
      ...settings,
      reusePort: true,
      maxConnections: maxConnections === undefined
        ? undefined
        : dealt(maxConnections, index, workers),
    },
    certificate,
    run,
    serverId,
    startNs: startNs + sharedClockOffsetNs(),
  };
  return { role: "server", details };
}
