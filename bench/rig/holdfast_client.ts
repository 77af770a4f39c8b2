import { readFileSync } from "node:fs";
import { parseSnapshot } from "../../lib/stats/snapshot_json.ts";
import type { ClientSnapshot, Phase } from "../../lib/stats/snapshot.ts";
import type { Benchmark } from "./benchmark.ts";
import { Child } from "./children.ts";
import { asTyped, executable } from "./executable.ts";

export interface ClientSettings {
  /** Target and options, without `--json` and, unless they are wanted, `--stats`. */
  readonly args: readonly string[];
  /** A run that takes longer is interrupted and reports what it has until then. */
  readonly timeoutMs: number;
  /** Called for each line of progress, one a second. */
  onProgress?(phase: Phase): void;
}

const statsTimeoutMs = 20_000;

/** A `holdfast client` in a process of its own. */
export class HoldfastClient implements AsyncDisposable {
  readonly command: readonly string[];
  readonly #child: Child;
  readonly #jsonFile: string;
  readonly #steady = Promise.withResolvers<void>();
  #hasEnded = false;
  readonly #statsUrl = Promise.withResolvers<string>();

  private constructor(private readonly benchmark: Benchmark, settings: ClientSettings) {
    const { args } = settings;
    this.#jsonFile = benchmark.newFile("json");
    const stats = args.includes("--stats") ? [] : ["--stats", "off"];
    this.command = [executable, "client", ...args, ...stats, "--json", this.#jsonFile];
    this.#child = new Child(this.command, {
      timeoutMs: settings.timeoutMs,
      onLine: (line) => {
        const phase = /^ +\d+ s (ramp|warmup|steady|drain) /.exec(line)?.[1] as Phase | undefined;
        const statsUrl = /^statistics on (\S+)/.exec(line)?.[1];
        if (statsUrl !== undefined) this.#statsUrl.resolve(statsUrl);
        if (phase === undefined) return;
        if (phase === "steady") this.#steady.resolve();
        settings.onProgress?.(phase);
      },
    });
    this.#steady.promise.catch(() => {});
    this.#statsUrl.promise.catch(() => {});
    void this.#child.ended.then(() => {
      this.#hasEnded = true;
      const early = new Error(`${this.command.join(" ")} ended early:\n${this.#child.lastWords}`);
      this.#steady.reject(early);
      this.#statsUrl.reject(early);
    });
  }

  static start(benchmark: Benchmark, settings: ClientSettings): HoldfastClient {
    const client = new HoldfastClient(benchmark, settings);
    benchmark.report.command(asTyped(client.command));
    return client;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Settles when the connections are open (or have failed) and the measured phase has begun. */
  get steady(): Promise<void> {
    return this.#steady.promise;
  }

  /** Where it serves its statistics, where it was asked to. */
  get statsUrl(): Promise<string> {
    return this.#statsUrl.promise;
  }

  /** What it has measured until now, with all histograms. It was started with `--stats`. */
  async snapshot(): Promise<ClientSnapshot> {
    const url = `${await this.#statsUrl.promise}stats?encoded=1`;
    const response = await fetch(url, { signal: AbortSignal.timeout(statsTimeoutMs) });
    const snapshot = parseSnapshot(await response.text());
    if (snapshot.role !== "client") throw new Error("the statistics are not a client's");
    return snapshot;
  }

  /** It has ended, or is about to. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Asks the client to end now; `result` has what was measured. */
  interrupt(): void {
    void this.#child.stop();
  }

  /**
   * Waits for the end and reads the report.
   *
   * @throws {Error} there is no report.
   */
  async result(): Promise<ClientSnapshot> {
    const { exitCode, isTimedOut } = await this.#child.ended;
    const ending = isTimedOut ? "was interrupted for taking too long" : `exit code ${exitCode}`;
    let text = "";
    try {
      text = readFileSync(this.#jsonFile, "utf8");
    } catch {
      // Then it failed before it could open it.
    } finally {
      this.benchmark.removeFile(this.#jsonFile);
    }
    if (text === "") {
      throw new Error(`the client left no report (${ending}):\n${this.#child.lastWords}`);
    }
    const snapshot = parseSnapshot(text);
    if (snapshot.role !== "client") throw new Error("the report is not a client's");
    return snapshot;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop();
  }
}
