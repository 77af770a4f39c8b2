import { join } from "node:path";
import { HostLimitError, InterruptedError, messageOf } from "../errors.ts";
import { workerCommand } from "./command.ts";
import type { FromWorker, Job, ToWorker } from "./messages.ts";
import { unpackError } from "./worker_error.ts";
import type { Environment } from "./worker_environment.ts";

/** Where a worker from source begins; the compiled executable begins there by itself. */
const sourceEntry = join(import.meta.dir, "../cli/executable.ts");

/** How long a worker may take, and what it gets besides its job. */
export interface WorkerLimits {
  /** Until it is ready. */
  readonly startMs: number;
  /** A worker that runs says something every second; one that says nothing for so long hangs. */
  readonly silenceMs: number;
  /** Gives a start up that is not wanted any more. */
  readonly signal?: AbortSignal;
  /** The environment of the process, where it is not to have that of this one. */
  readonly environment?: Environment | undefined;
}

const usualLimits: WorkerLimits = { startMs: 60_000, silenceMs: 30_000 };
/** While it closes its connections: 53 workers took half a minute for a million, on 2 cores. */
const closingMs = 300_000;
/** The time in which it must be heard of is looked at so many times. */
const looksPerSilence = 6;
/** How much of what a worker wrote to stderr is kept for the report of its end. */
const keptErrorCharacters = 2_000;

export interface WorkerHandlers<Report> {
  /** Everything but `ready`, what is said before it, and `closing`. */
  message(message: FromWorker<Report>): void;
  /** The process has gone without being asked to. */
  ended(reason: string): void;
  /** What it wrote to stderr, as it comes, to the last byte also when it was killed. */
  errorText?(chunk: Uint8Array): void;
}

/**
 * A copy of this executable that does a part of a job. It leaves when it is released, and when this
 * process has gone in whatever way: its channel closes then.
 */
export class WorkerProcess<Report> {
  readonly pid: number;
  /** Resolves when the process has gone. */
  readonly gone: Promise<void>;
  readonly #child: Bun.Subprocess<"ignore", "ignore", "pipe">;
  readonly #handlers: WorkerHandlers<Report>;
  readonly #start = Promise.withResolvers<Report>();
  readonly #watch: ReturnType<typeof setInterval>;
  #isReady = false;
  #isReleased = false;
  #hasGone = false;
  #errorText = "";
  /** When it last said something; Infinity while it need not. */
  #heardAtMs = Infinity;
  #mayBeSilentMs: number;
  /** Why it was killed from here. */
  #fault: string | undefined;

  /**
   * Starts a worker.
   *
   * @throws {HoldfastError} what the worker threw instead of getting ready.
   * @throws {HostLimitError} the process could not be started, or ended before it was ready.
   */
  static async start<Report>(
    job: Job,
    handlers: WorkerHandlers<Report>,
    limits: WorkerLimits = usualLimits,
  ): Promise<{ worker: WorkerProcess<Report>; report: Report }> {
    const worker = new WorkerProcess(job, handlers, limits);
    const timer = setTimeout(
      () => worker.#fail(`not ready within ${limits.startMs / 1000} s`),
      limits.startMs,
    );
    const giveUp = () => worker.#fail("not wanted any more");
    limits.signal?.addEventListener("abort", giveUp);
    if (limits.signal?.aborted === true) giveUp();
    try {
      return { worker, report: await worker.#start.promise };
    } catch (error) {
      worker.kill();
      await worker.gone;
      throw error;
    } finally {
      clearTimeout(timer);
      limits.signal?.removeEventListener("abort", giveUp);
    }
  }

  private constructor(
    job: Job,
    handlers: WorkerHandlers<Report>,
    { silenceMs, environment }: WorkerLimits,
  ) {
    this.#handlers = handlers;
    this.#mayBeSilentMs = silenceMs;
    const entry = Bun.isStandaloneExecutable ? [] : ["--no-warnings", sourceEntry];
    try {
      this.#child = Bun.spawn([process.execPath, ...entry, workerCommand], {
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
        ...(environment === undefined ? {} : { env: environment }),
        // Keeps NaN, Infinity and typed arrays, and takes a tenth of the time of JSON.
        serialization: "advanced",
        ipc: (message) => this.#received(message as FromWorker<Report>),
      });
    } catch (cause) {
      throw new HostLimitError(`a worker could not be started: ${messageOf(cause)}`, { cause });
    }
    this.pid = this.#child.pid;
    this.gone = this.#awaitEnd();
    this.#watch = setInterval(() => this.#lookForSilence(), silenceMs / looksPerSilence);
    this.#sendJob(job);
  }

  /** Data that cannot be copied would leave the worker, and whoever awaits it, without a word. */
  #sendJob(job: Job): void {
    try {
      this.#child.send({ type: "job", job } satisfies ToWorker);
    } catch (error) {
      this.#fail(`its job cannot be sent: ${messageOf(error)}`);
    }
  }

  send(message: ToWorker): void {
    if (this.#hasGone || this.#isReleased) return;
    if (message.type === "start") this.#heardAtMs = performance.now();
    try {
      this.#child.send(message);
    } catch {
      // Its end is noticed in another way.
    }
  }

  /** It has done its job and may leave. */
  release(): void {
    if (this.#isReleased || this.#hasGone) return;
    this.#isReleased = true;
    this.#child.disconnect();
  }

  /** Ends it at once; that is no event any more. */
  kill(): void {
    this.#isReleased = true;
    if (!this.#hasGone) this.#child.kill("SIGKILL");
  }

  #received(message: FromWorker<Report>): void {
    if (this.#isReleased) return;
    if (message.type === "report") this.#heardAtMs = performance.now();
    if (message.type === "closing") {
      this.#heardAtMs = performance.now();
      this.#mayBeSilentMs = closingMs;
    } else if (message.type === "ready") {
      this.#isReady = true;
      this.#start.resolve(message.report);
    } else if (message.type === "failed" && !this.#isReady) {
      this.#start.reject(unpackError(message.error));
    } else if (message.type === "failed") {
      this.#fail(message.error.message);
    } else {
      this.#handlers.message(message);
    }
  }

  #fail(reason: string): void {
    this.#fault ??= reason;
    this.#child.kill("SIGKILL");
  }

  #lookForSilence(): void {
    const silentMs = performance.now() - this.#heardAtMs;
    if (silentMs > this.#mayBeSilentMs) {
      this.#fail(`no sign of life for ${Math.round(silentMs / 1000)} s`);
    }
  }

  async #awaitEnd(): Promise<void> {
    const reading = this.#readErrors();
    await this.#child.exited;
    this.#hasGone = true;
    clearInterval(this.#watch);
    await reading;
    if (this.#isReady && this.#isReleased) return;
    const reason = this.#fault ?? this.#endText();
    if (this.#isReady) this.#handlers.ended(reason);
    else this.#start.reject(this.#startError(reason));
  }

  #startError(reason: string): Error {
    // A terminal's Ctrl-C goes to all processes, also to those that do not ignore it yet.
    const { signalCode } = this.#child;
    if (signalCode === "SIGINT" || signalCode === "SIGTERM") {
      return new InterruptedError(`interrupted before it began (${signalCode})`);
    }
    return new HostLimitError(`a worker ended before it was ready: ${reason}`);
  }

  #endText(): string {
    const { signalCode, exitCode } = this.#child;
    if (signalCode !== null) return `${signalCode}`;
    const said = this.#errorText.trim().split("\n").at(-1);
    return `exit code ${exitCode}${said === undefined || said === "" ? "" : ` (${said})`}`;
  }

  async #readErrors(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stderr) {
      const text = this.#errorText + decoder.decode(chunk, { stream: true });
      this.#errorText = text.slice(-keptErrorCharacters);
      this.#handlers.errorText?.(chunk);
    }
  }
}

/** Starts several workers side by side: all of them, or none. */
export async function startWorkers<Report>(
  jobs: readonly Job[],
  handlersOf: (index: number) => WorkerHandlers<Report>,
  environment?: Environment,
): Promise<{ worker: WorkerProcess<Report>; report: Report }[]> {
  const results = await Promise.allSettled(
    jobs.map((job, index) =>
      WorkerProcess.start(job, handlersOf(index), { ...usualLimits, environment })
    ),
  );
  const started = results.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
  const failed = results.find((result) => result.status === "rejected");
  if (failed === undefined) return started;
  for (const { worker } of started) worker.kill();
  await Promise.all(started.map(({ worker }) => worker.gone));
  throw failed.reason;
}
