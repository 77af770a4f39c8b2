import assert from "node:assert/strict";
import { join } from "node:path";
import type { ExitCode } from "../../lib/errors.ts";
import { commandLineOf } from "../../lib/options/command_line.ts";
import { serverRows, type ServerSettings } from "../../lib/server/options.ts";
import { run } from "../../lib/server/run.ts";
import type { ServerSnapshot } from "../../lib/stats/snapshot.ts";
import { type Endpoint, parseEndpoint } from "../../lib/transport/endpoint.ts";
import { CollectedIo } from "../cli/collected_io.ts";

/** Waits until something is so; fails after `withinMs`. */
export async function until(what: string, isSo: () => boolean, withinMs = 15_000): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!isSo()) {
    assert.ok(performance.now() < deadlineMs, `not within ${withinMs} ms: ${what}`);
    await Bun.sleep(5);
  }
}

function listeningOn(lines: readonly string[]): Endpoint[] {
  return lines.filter((line) => line.startsWith("listening on "))
    .map((line) => parseEndpoint(line.slice("listening on ".length)));
}

function statsUrl(lines: readonly string[]): string {
  const line = lines.find((line) => line.startsWith("statistics on "));
  return line === undefined ? "" : line.slice("statistics on ".length);
}

abstract class RunningServer implements AsyncDisposable {
  abstract readonly outLines: readonly string[];
  abstract readonly noteLines: readonly string[];

  get endpoints(): Endpoint[] {
    return listeningOn(this.outLines);
  }

  portOf(scheme: Endpoint["scheme"]): number {
    const endpoint = this.endpoints.find((each) => each.scheme === scheme);
    assert.ok(endpoint !== undefined, `no ${scheme} endpoint`);
    return endpoint.port;
  }

  async snapshot(): Promise<ServerSnapshot> {
    const response = await fetch(`${statsUrl(this.outLines)}stats`);
    return await response.json() as ServerSnapshot;
  }

  /** Snapshots until one is as it should be, which is returned. */
  async snapshotWith(
    what: string,
    isSo: (snapshot: ServerSnapshot) => boolean,
    withinMs = 15_000,
  ): Promise<ServerSnapshot> {
    const deadlineMs = performance.now() + withinMs;
    for (;;) {
      const snapshot = await this.snapshot();
      if (isSo(snapshot)) return snapshot;
      assert.ok(
        performance.now() < deadlineMs,
        `not within ${withinMs} ms: ${what}; it is ${JSON.stringify(snapshot.total)}`,
      );
      await Bun.sleep(10);
    }
  }

  /** Waits for the start: all endpoints bound, or the end of the attempt. */
  protected async started(hasEnded: () => boolean): Promise<void> {
    await until("the server listens", () => statsUrl(this.outLines) !== "" || hasEnded());
  }

  abstract stop(): Promise<number>;

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A server in this process: `run` as the command line calls it. */
export class LocalServer extends RunningServer {
  readonly #io = new CollectedIo();
  readonly #interruption = new AbortController();
  readonly #ended: Promise<ExitCode>;

  private constructor(positional: readonly string[], changes: Partial<ServerSettings>) {
    super();
    const settings = { statsAddress: { host: "127.0.0.1", port: 0 }, ...changes };
    const commandLine = commandLineOf(serverRows, positional, settings);
    this.#ended = run(commandLine, this.#io, this.#interruption.signal);
  }

  static async start(
    positional: readonly string[],
    changes: Partial<ServerSettings> = {},
  ): Promise<LocalServer> {
    const server = new LocalServer(positional, changes);
    let hasEnded = false;
    void server.#ended.catch(() => {}).finally(() => hasEnded = true);
    await server.started(() => hasEnded);
    if (hasEnded) await server.#ended;
    return server;
  }

  get outLines(): readonly string[] {
    return this.#io.outLines;
  }

  get noteLines(): readonly string[] {
    return this.#io.noteLines;
  }

  /** Resolves when the server ends by itself. */
  get ended(): Promise<ExitCode> {
    return this.#ended;
  }

  stop(): Promise<ExitCode> {
    this.#interruption.abort();
    return this.#ended;
  }
}

const program = join(import.meta.dir, "../../mod.ts");

/** `holdfast server` in a process of its own. */
export class ChildServer extends RunningServer {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly outLines: string[] = [];
  readonly noteLines: string[] = [];
  readonly #reading: Promise<unknown>;
  #hasEnded = false;

  private constructor(args: readonly string[], fdLimit: number | undefined) {
    super();
    const command = [process.execPath, program, "server", ...args];
    this.#child = Bun.spawn(
      fdLimit === undefined
        ? command
        : ["/bin/sh", "-c", `ulimit -n ${fdLimit}; exec "$@"`, "sh", ...command],
      { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    );
    this.#reading = Promise.all([
      collectLines(this.#child.stdout, this.outLines),
      collectLines(this.#child.stderr, this.noteLines),
      this.#child.exited.then(() => this.#hasEnded = true),
    ]);
  }

  /** @param fdLimit `ulimit -n` of the process. */
  static async start(args: readonly string[], fdLimit?: number): Promise<ChildServer> {
    const server = new ChildServer(["--stats", "127.0.0.1:0", ...args], fdLimit);
    await server.started(() => server.#hasEnded);
    return server;
  }

  /** The exit code, after everything that the process has written was read. */
  async ended(): Promise<number> {
    await this.#reading;
    return this.#child.exitCode ?? -1;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  stop(): Promise<number> {
    this.kill("SIGKILL");
    return this.ended();
  }
}

async function collectLines(stream: ReadableStream<Uint8Array>, lines: string[]): Promise<void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
  }
  if (rest !== "") lines.push(rest);
}
