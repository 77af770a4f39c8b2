import { type Endpoint, parseEndpoint } from "../../lib/transport/endpoint.ts";
import type { ServerSnapshot } from "../../lib/stats/snapshot.ts";
import type { Benchmark } from "./benchmark.ts";
import { Child } from "./children.ts";
import { asTyped, executable } from "./executable.ts";

const statsTimeoutMs = 20_000;
const usualStartTimeoutMs = 15_000;
/** Should the benchmarks be killed, the server ends by itself. */
const lifetimeMinutes = 20;

/** A `holdfast server` in a process of its own. */
export class HoldfastServer implements AsyncDisposable {
  readonly #child: Child;
  /** As bound, in the order in which they were asked for. */
  readonly endpoints: string[] = [];
  /** Empty where there are no statistics. */
  statsUrl = "";

  private constructor(command: readonly string[], onLine: (line: string) => void) {
    this.#child = new Child(command, { timeoutMs: lifetimeMinutes * 60_000, onLine });
  }

  /**
   * Starts a server and waits until it listens.
   *
   * @param args endpoints and options; `--stats off` where they say nothing of statistics.
   * @throws {Error} it did not start.
   */
  static async start(
    benchmark: Benchmark,
    args: readonly string[],
    startTimeoutMs = usualStartTimeoutMs,
  ): Promise<HoldfastServer> {
    const stats = args.includes("--stats") ? [] : ["--stats", "off"];
    const command = [
      executable,
      "server",
      ...args,
      ...stats,
      "--quiet",
      "-t",
      `${lifetimeMinutes}m`,
    ];
    benchmark.report.command(asTyped(command));
    const expected = args.filter((arg) => arg.includes("://")).length;
    const listening = Promise.withResolvers<void>();
    const server: HoldfastServer = new HoldfastServer(command, (line) => {
      const [, what, value] = /^(listening|statistics) on (\S+)/.exec(line) ?? [];
      if (what === "listening") server.endpoints.push(value!);
      if (what === "statistics") server.statsUrl = value!;
      const hasStats = server.statsUrl !== "" || stats.length > 0;
      if (server.endpoints.length >= expected && hasStats) listening.resolve();
    });
    void server.#child.ended.then(({ exitCode }) =>
      listening.reject(
        new Error(`the server ended with exit code ${exitCode}:\n${server.#child.lastWords}`),
      )
    );
    const deadline = setTimeout(
      () => listening.reject(new Error(`the server did not listen within ${startTimeoutMs} ms`)),
      startTimeoutMs,
    );
    try {
      await listening.promise;
      return server;
    } catch (error) {
      server.#child.kill();
      throw error;
    } finally {
      clearTimeout(deadline);
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The first endpoint, as a client takes it. */
  get target(): string {
    return this.endpoints[0]!;
  }

  get endpoint(): Endpoint {
    return parseEndpoint(this.target);
  }

  /** The server's own figures. It was started with `--stats`. */
  async snapshot(): Promise<ServerSnapshot> {
    const response = await fetch(`${this.statsUrl}stats`, {
      signal: AbortSignal.timeout(statsTimeoutMs),
    });
    return await response.json() as ServerSnapshot;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stop();
  }
}
