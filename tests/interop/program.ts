import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { searchPath } from "../programs.ts";

const readyWithinMs = 20_000;

/** A program from outside, with what it writes. Leaving its scope kills it. */
export class Program implements AsyncDisposable {
  /** Standard output and standard error, as they came. */
  text = "";
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #reading: Promise<unknown>;
  #hasEnded = false;

  constructor(readonly command: readonly string[], directory?: string) {
    this.#child = Bun.spawn([...command], {
      ...(directory === undefined ? {} : { cwd: directory }),
      // The C locale: what programs say is matched.
      env: { ...process.env, PATH: searchPath, LC_ALL: "C" },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#reading = Promise.all([
      this.#collect(this.#child.stdout),
      this.#collect(this.#child.stderr),
      this.#child.exited.then(() => this.#hasEnded = true),
    ]);
  }

  /** Starts a program and waits until its output matches. */
  static async start(
    command: readonly string[],
    ready: RegExp,
    directory?: string,
  ): Promise<Program> {
    const program = new Program(command, directory);
    await program.says(ready);
    return program;
  }

  /** Waits until its output matches. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const deadlineMs = performance.now() + readyWithinMs;
    for (;;) {
      const match = pattern.exec(this.text);
      if (match !== null) return match;
      const isLate = performance.now() > deadlineMs;
      if (this.#hasEnded || isLate) {
        await this[Symbol.asyncDispose]();
        assert.fail(`${this.command[0]} did not say ${pattern}, but: ${this.text}`);
      }
      await Bun.sleep(5);
    }
  }

  /** Writes to its standard input. */
  async write(text: string): Promise<void> {
    this.#child.stdin.write(text);
    await this.#child.stdin.flush();
  }

  endInput(): void {
    this.#child.stdin.end();
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  /** It stands still from now on, with all that it has open. */
  stop(): void {
    this.#child.kill("SIGSTOP");
  }

  /** Its exit code, once everything that it wrote was read. */
  async ended(): Promise<number> {
    await this.#reading;
    return this.#child.exitCode ?? -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#reading;
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.text += decoder.decode(chunk, { stream: true });
  }
}

/**
 * A port that was free a moment ago, for programs that do not choose one themselves. It lies below
 * those that the kernel hands out, which tests of many connections can use up.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    if (await isFree(port)) return port;
  }
  throw new Error("no free port found");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** A directory that is gone when its scope is left. */
export class Directory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "holdfast-interop-"));

  /** Writes a file, and returns where it is. */
  async write(name: string, text: string): Promise<string> {
    const path = join(this.path, name);
    await Bun.write(path, text);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
