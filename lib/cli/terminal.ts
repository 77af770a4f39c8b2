import { FileError, messageOf } from "../errors.ts";
import type { Io } from "../report/io.ts";

/**
 * A stream of the process. Writes go out at once; those that the reader does not take yet are kept
 * in order. When the reader is gone (EPIPE) the rest is discarded without a word, as for a command
 * whose output goes to `head`.
 */
class OutputStream {
  readonly #sink: Bun.FileSink;
  /** The first error that is not just a reader that left. */
  failure: unknown;
  #isBroken = false;

  constructor(file: Bun.BunFile) {
    this.#sink = file.writer({ highWaterMark: 65536 });
  }

  write(data: string | Uint8Array): void {
    if (this.#isBroken) return;
    try {
      this.#watch(this.#sink.write(data as string));
      this.#watch(this.#sink.flush());
    } catch (error) {
      this.#break(error);
    }
  }

  /** Resolves when everything is written or cannot be. */
  async flush(): Promise<void> {
    if (this.#isBroken) return;
    try {
      await this.#sink.flush();
    } catch (error) {
      this.#break(error);
    }
  }

  #watch(pending: number | Promise<number>): void {
    if (typeof pending !== "number") pending.catch((error) => this.#break(error));
  }

  #break(error: unknown): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    if ((error as { code?: unknown } | undefined)?.code !== "EPIPE") this.failure = error;
  }
}

/** What the terminal is like; read from the process by `start`. */
export interface TerminalTraits {
  /** Whether stderr can show a line that changes. */
  readonly isTerminal: boolean;
  /** Its width now. */
  columns(): number;
}

/** The process's own streams: results on stdout, everything about the run on stderr. */
export class Terminal implements Io {
  readonly #out = new OutputStream(Bun.stdout);
  readonly #err = new OutputStream(Bun.stderr);
  readonly #traits: TerminalTraits;
  #liveLine = "";

  constructor(traits: TerminalTraits) {
    this.#traits = traits;
  }

  get isTerminal(): boolean {
    return this.#traits.isTerminal;
  }

  out(line: string): void {
    this.#withoutLiveLine(() => this.#out.write(`${line}\n`));
  }

  note(line: string): void {
    this.#withoutLiveLine(() => this.#err.write(`${line}\n`));
  }

  write(bytes: Uint8Array): void {
    this.#withoutLiveLine(() => this.#out.write(bytes));
  }

  live(line: string): void {
    if (!this.isTerminal) return;
    // A line that wraps could not be erased.
    this.#liveLine = line.slice(0, Math.max(this.#traits.columns() - 1, 0));
    this.#err.write(`\r\x1b[K${this.#liveLine}`);
  }

  readStdin(): Promise<string> {
    return Bun.stdin.text();
  }

  /** Erases the live line and waits until everything is written. */
  async finish(): Promise<void> {
    if (this.#liveLine !== "") this.#err.write("\r\x1b[K");
    this.#liveLine = "";
    await this.#out.flush();
    await this.#err.flush();
  }

  /** Set when results could not be written to stdout, other than for want of a reader. */
  get failure(): FileError | undefined {
    const error = this.#out.failure;
    return error === undefined ? undefined : new FileError(
      `cannot write to standard output: ${messageOf(error)}; the rest of it is lost`,
      { cause: error },
    );
  }

  #withoutLiveLine(write: () => void): void {
    if (this.#liveLine === "") return write();
    this.#err.write("\r\x1b[K");
    write();
    this.#err.write(this.#liveLine);
  }
}
