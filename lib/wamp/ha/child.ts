import { join } from "node:path";
import process from "node:process";
import { HostLimitError, messageOf } from "../../errors.ts";
import { environmentName, type Rows } from "../../options/row.ts";

/** Where holdfast begins when it runs from source; the compiled executable begins there by itself. */
const sourceEntry = join(import.meta.dir, "../../cli/executable.ts");

/** How much of what a child wrote is kept, to say why it ended. */
const keptCharacters = 4_000;

/**
 * The command that runs this executable with these arguments, and with no options from the environment:
 * those are meant for this process.
 *
 * @param rows the options of the subcommand.
 */
export function holdfastCommand(rows: Rows, ...args: readonly string[]): string[] {
  const entry = Bun.isStandaloneExecutable ? [] : ["--no-warnings", sourceEntry];
  const unset = Object.values(rows).flatMap((row) => ["-u", environmentName(row)]);
  // It becomes the command, so that the process id stays.
  const clean = Bun.which("env") === null ? [] : ["env", ...unset];
  return [...clean, process.execPath, ...entry, ...args];
}

/**
 * A program that ends with this process, in whatever way that ends: where util-linux is there, the kernel
 * kills it then (prctl(2), PR_SET_PDEATHSIG).
 */
export class Child {
  readonly name: string;
  readonly gone: Promise<void>;
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  #said = "";
  /** This process has told it to end. */
  #isTold = false;

  /** @throws {HostLimitError} it cannot be started. */
  constructor(name: string, command: readonly string[]) {
    this.name = name;
    const guard = Bun.which("setpriv") === null ? [] : ["setpriv", "--pdeathsig", "KILL"];
    try {
      this.#child = Bun.spawn([...guard, ...command], {
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
    } catch (cause) {
      throw new HostLimitError(`${name} could not be started: ${messageOf(cause)}`, { cause });
    }
    const reading = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
    this.gone = this.#child.exited.then(() => reading).then(() => {});
  }

  get pid(): number {
    return this.#child.pid;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The last line that it wrote. */
  get lastLine(): string {
    return this.#said.trimEnd().split("\n").at(-1) ?? "";
  }

  get said(): string {
    return this.#said;
  }

  signal(name: "SIGKILL" | "SIGSTOP" | "SIGCONT" | "SIGTERM"): void {
    if (this.hasEnded) return;
    if (name === "SIGKILL" || name === "SIGTERM") this.#isTold = true;
    this.#child.kill(name);
  }

  /** Calls `ended` should it end without having been told to. */
  watch(ended: (child: Child) => void): void {
    void this.gone.then(() => {
      if (!this.#isTold) ended(this);
    });
  }

  /** Ends it: in order if it does that in time, at once otherwise. */
  async end(patienceMs = 2_000): Promise<void> {
    if (this.hasEnded) return;
    this.signal("SIGCONT");
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), patienceMs);
    await this.gone;
    clearTimeout(timer);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#said = (this.#said + decoder.decode(chunk, { stream: true })).slice(-keptCharacters);
    }
  }
}

/**
 * Waits until something is so.
 *
 * @throws {HostLimitError} it is not within that time, or a child ended that was needed for it.
 */
export async function waitFor(
  what: string,
  limitMs: number,
  children: readonly Child[],
  signal: AbortSignal,
  isSo: () => Promise<boolean>,
): Promise<void> {
  const untilMs = performance.now() + limitMs;
  while (!signal.aborted && !await isSo()) {
    const ended = children.find(({ hasEnded }) => hasEnded);
    if (ended !== undefined) {
      throw new HostLimitError(`${ended.name} ended at the start: ${ended.lastLine}`);
    }
    if (performance.now() > untilMs) {
      const last = children.at(-1)?.lastLine ?? "";
      throw new HostLimitError(
        `${what} took longer than ${limitMs / 1000} s${last === "" ? "" : ` (${last})`}`,
      );
    }
    await Bun.sleep(20);
  }
}
