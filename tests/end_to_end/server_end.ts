/** A server that ends while clients of every transport are busy with it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { FailureKind } from "../../lib/stats/failure.ts";
import { formatEndpoint } from "../../lib/transport/endpoint.ts";
import { Directory } from "../interop/program.ts";
import { ChildServer } from "../server/running_server.ts";
import { type RunningClient, startClient } from "./command_line.ts";
import { optionsFor, type TargetName } from "./targets.ts";

const connections = 5;
const ratePerSecond = 200;
const sizeBytes = 100;
const durationMs = 60_000;
/** What a client takes at most between its `startedAt` and its first attempt to connect. */
const startingMs = 1000;

/** One process for the server, with an endpoint for each client, and one for each client. */
export class BusyServer implements AsyncDisposable {
  /** Wall clock, when the server was told to end. */
  #endedAtMs = NaN;

  private constructor(
    readonly server: ChildServer,
    private readonly endpoints: readonly string[],
    private readonly clients: ReadonlyMap<TargetName, RunningClient>,
    private readonly directory: Directory,
  ) {}

  /**
   * Resolves when every client has measured for a while.
   *
   * @param more further options of every client.
   */
  static async start(
    names: readonly TargetName[],
    more: readonly string[] = [],
  ): Promise<BusyServer> {
    const directory = new Directory();
    const certificates = join(directory.path, "made");
    const server = await ChildServer.start([
      ...names.map((name) => `${name.split(" ")[0]}://127.0.0.1:0`),
      ...["--write-cert", certificates, "--quiet"],
    ]);
    const endpoints = server.endpoints.map(formatEndpoint);
    const load = ["-c", connections, "-r", ratePerSecond, "--size", sizeBytes];
    const args = [...load, "-t", `${durationMs}ms`, "--timeout", "2s"].map(String);
    const clients = new Map(names.map((name, index) => {
      const options = optionsFor(name, join(certificates, "ca.pem"));
      return [name, startClient([endpoints[index]!, ...options, ...args, ...more])];
    }));
    const busy = new BusyServer(server, endpoints, clients, directory);
    await server.snapshotWith("every client is busy", ({ endpoints }) => {
      return endpoints.every(({ counts }) => counts.bytesReceived > ratePerSecond * sizeBytes);
    }, 40_000);
    return busy;
  }

  /** Ends the server, and awaits its end. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number> {
    this.#endedAtMs = Date.now();
    this.server.kill(signal);
    return await this.server.ended();
  }

  /** The server stands still: it is there, and answers nothing. */
  freeze(): void {
    this.#endedAtMs = Date.now();
    this.server.kill("SIGSTOP");
  }

  /**
   * The client ends by itself, with all that was measured until then, and says what happened.
   *
   * @param noticedMs how long after the end of the server, at least and at most, the first connection
   * ends.
   */
  async assertNoticed(
    name: TargetName,
    kinds: readonly FailureKind[],
    noticedMs: readonly [least: number, most: number],
  ): Promise<void> {
    const { exitCode, text, snapshot } = await this.clients.get(name)!.ended;
    const { messages, failures, ...counts } = {
      ...snapshot.connections,
      messages: snapshot.messages,
    };
    assert.equal(exitCode, 4, text);
    assert.equal(snapshot.phase, "done");
    assert.ok(snapshot.steadyMs < durationMs / 2 + noticedMs[1]);
    // That sent = answered + lost was checked when the snapshot was read.
    assert.ok(messages.answered >= ratePerSecond / 2, text);
    assert.equal(messages.lost.corrupted, 0);
    assert.deepEqual(
      [counts.opened, counts.open, counts.lost, counts.failed],
      [connections, 0, connections, 0],
      text,
    );

    // Each connection is named, and when the first of them ended.
    assert.equal(failures.reduce((sum, { count }) => sum + count, 0), connections);
    for (const { kind } of failures) assert.ok(kinds.includes(kind), `${kind}: ${text}`);
    const firstAtMs = Math.min(...failures.map((failure) => failure.firstAtMs));
    // Its clock starts when it begins to connect, which is a little after `startedAt`.
    const afterEndMs = Date.parse(snapshot.run.startedAt) + firstAtMs - this.#endedAtMs;
    assert.ok(
      afterEndMs > noticedMs[0] - startingMs && afterEndMs < noticedMs[1],
      `${afterEndMs} ms after the end: ${text}`,
    );
    const endpoint = this.endpoints[[...this.clients.keys()].indexOf(name)]!;
    assert.ok(
      text.includes(`\nholdfast: ${endpoint}: Every connection ended before the run did: `),
      text,
    );
    assert.match(text, /^failures .*first after \d/m);
    assert.match(text, /^verdict +STOPPED BY LIMIT$/m);
    assert.doesNotMatch(text, /this is a bug|^\s+at /m);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    for (const { program } of this.clients.values()) await program[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
  }
}
