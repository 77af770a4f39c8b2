import { closeSync, mkdirSync, openSync, readdirSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { FileError, messageOf } from "../../errors.ts";

/** Where a run leaves its logs and results. */
export class RunFolder {
  readonly path: string;
  readonly #logs = new Map<number, number>();
  /** The first failure to write a log. */
  #failure: unknown;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes the folder, and those that it lies in.
   *
   * @throws {FileError} it cannot be made, or has something in it: results are never overwritten.
   */
  static create(path: string): RunFolder {
    try {
      mkdirSync(path, { recursive: true });
      if (readdirSync(path).length === 0) return new RunFolder(path);
    } catch (cause) {
      throw new FileError(
        `cannot make the run folder ${JSON.stringify(path)}: ${messageOf(cause)}; name another ` +
          `with --run-folder`,
        { cause },
      );
    }
    throw new FileError(
      `the run folder ${JSON.stringify(path)} is not empty; name another with --run-folder`,
    );
  }

  /** A folder in this one. */
  folder(name: string): RunFolder {
    return RunFolder.create(join(this.path, name));
  }

  /** The name that a run gets which was given none, by the instant of its start. */
  static usualName(startedAt: Date): string {
    return `holdfast-p2p-${startedAt.toISOString().replaceAll(/[:.]/g, "-")}`;
  }

  /** Adds to a node's log. A disk that is full must not end the run: `failure` says so then. */
  log(node: number, text: string): void {
    try {
      let descriptor = this.#logs.get(node);
      if (descriptor === undefined) {
        descriptor = openSync(join(this.path, `node-${node}.log`), "a");
        this.#logs.set(node, descriptor);
      }
      writeSync(descriptor, text);
    } catch (error) {
      this.#failure ??= error;
    }
  }

  /** Adds a line with the time of day before it. */
  logLine(node: number, line: string): void {
    this.log(node, `${new Date().toISOString()} ${line}\n`);
  }

  /** Writes a file of text. A failure is kept for `failure`. */
  write(name: string, text: string): void {
    try {
      writeFileSync(join(this.path, name), text);
    } catch (error) {
      this.#failure ??= error;
    }
  }

  /** What kept something from being written; undefined where nothing did. */
  get failure(): FileError | undefined {
    if (this.#failure === undefined) return undefined;
    return new FileError(
      `cannot write to the run folder ${JSON.stringify(this.path)}: ${messageOf(this.#failure)}; ` +
        `what is there is not complete`,
      { cause: this.#failure },
    );
  }

  close(): void {
    for (const descriptor of this.#logs.values()) closeSync(descriptor);
    this.#logs.clear();
  }
}
