import { test } from "bun:test";
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { rustNodeProgram } from "./program.ts";

const eventWithinMs = 20_000;

/** `test`, where the node is built: `deno task test:interop` does that. */
export const rustTest: typeof test = existsSync(rustNodeProgram)
  ? test
  : ((name: string, run: () => void) =>
    test.skip(`${name} (needs deno task test:interop)`, run)) as unknown as typeof test;

interface Times {
  readonly count: number;
  readonly negative: number;
  readonly minNs: number;
  readonly meanNs: number;
  readonly p50Ns: number;
  readonly p90Ns: number;
  readonly p99Ns: number;
  readonly maxNs: number;
}

/** What a node by rust-libp2p counted. */
export interface RustSummary {
  readonly id: number;
  readonly due: number;
  readonly sent: number;
  readonly dropped: Readonly<Record<string, number>>;
  readonly received: number;
  readonly receivedBytes: number;
  readonly malformed: number;
  /** By sender id. */
  readonly senders: Readonly<
    Record<string, {
      readonly unique: number;
      readonly min: number;
      readonly max: number;
      readonly duplicates: number;
      readonly outOfOrder: number;
    }>
  >;
  readonly delay: Times;
  readonly lateness: Times;
  readonly emptyQueries: number;
  readonly queriesEnded: number;
  readonly responses: number;
  readonly responseBytes: number;
  readonly errors: Readonly<Record<string, number>>;
  /** As gossipsub itself counts: messages on the wire, and ids asked for with IWANT. */
  readonly gossipsub: {
    readonly sent: number;
    readonly received: number;
    readonly receivedWithDuplicates: number;
    readonly requested: number;
    readonly invalid: number;
  };
  /** With `--print-delays`: from when messages were due to their arrival. */
  readonly delaysNs?: readonly number[];
}

/** A line that a node prints; which fields it has depends on the event. */
export interface RustEvent {
  readonly event: string;
  readonly peer?: string;
  readonly count?: number;
  readonly sender?: number;
  readonly index?: number;
  readonly bytes?: number;
  readonly delayNs?: number;
  readonly source?: string;
  readonly sequence?: string;
  readonly messageId?: string;
  readonly protocolVersion?: string;
  readonly agent?: string;
  readonly protocol?: string;
  readonly protocols?: readonly string[];
  readonly roundTripNs?: number;
  /** Why a connection broke. */
  readonly cause?: string;
}

/** A node by rust-libp2p in a process of its own. Leaving its scope kills it. */
export class RustNode implements AsyncDisposable {
  readonly events: RustEvent[] = [];
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #reading: Promise<void>;
  #hasEnded = false;

  private constructor(args: readonly string[]) {
    this.#child = Bun.spawn([rustNodeProgram, ...args], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#reading = this.#read();
  }

  /** Starts a node on a free port of loopback, and waits until it listens. */
  static async start(
    id: number,
    bootstrap: readonly string[],
    args: readonly string[] = [],
  ): Promise<RustNode> {
    const node = new RustNode(["--id", `${id}`, "--bootstrap", bootstrap.join(","), ...args]);
    await node.until(({ event }) => event === "listening", "listens");
    return node;
  }

  get #listening(): { readonly address: string; readonly topic: string } {
    const found = this.events.find(({ event }) => event === "listening");
    return found as unknown as { address: string; topic: string };
  }

  /** With `/p2p/…`. */
  get address(): string {
    return this.#listening.address;
  }

  get peerId(): string {
    return this.address.split("/p2p/")[1]!;
  }

  get topic(): string {
    return this.#listening.topic;
  }

  get pid(): number {
    return this.#child.pid;
  }

  named(name: string): RustEvent[] {
    return this.events.filter(({ event }) => event === name);
  }

  /** The first event that matches, from one of a position on. */
  async until(
    matches: (event: RustEvent) => boolean,
    what: string,
    from = 0,
  ): Promise<RustEvent> {
    const deadlineMs = performance.now() + eventWithinMs;
    for (let next = from;;) {
      for (; next < this.events.length; next++) {
        if (matches(this.events[next]!)) return this.events[next]!;
      }
      if (this.#hasEnded || performance.now() > deadlineMs) {
        const last = this.events.slice(-5).map((event) => JSON.stringify(event)).join("\n");
        assert.fail(`no sign that the node by rust-libp2p ${what}; it said:\n${last}`);
      }
      await Bun.sleep(5);
    }
  }

  /** Broadcasts at its rate for its duration. */
  go(): void {
    this.#write("go");
  }

  /** Broadcasts one message of so many bytes. */
  send(bytes: number): void {
    this.#write(`send ${bytes}`);
  }

  /** Ends the node. */
  async summary(): Promise<RustSummary> {
    this.#child.stdin.end();
    const found = await this.until(({ event }) => event === "summary", "ended");
    await this.#reading;
    return found as unknown as RustSummary;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.#reading;
  }

  #write(line: string): void {
    this.#child.stdin.write(`${line}\n`);
    this.#child.stdin.flush();
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of this.#child.stdout) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.events.push(JSON.parse(line) as RustEvent);
    }
    await this.#child.exited;
    this.#hasEnded = true;
  }
}
