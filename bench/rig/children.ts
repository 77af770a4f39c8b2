import process from "node:process";

/** How long a process may take to end by itself when it is asked to. */
const stopGraceMs = 15_000;
/** Lines kept of each process, for the message when it fails. */
const keptLines = 12;

export interface ChildSettings {
  /** The process is ended after this long, whatever it does. */
  readonly timeoutMs: number;
  /** Called for each line that the process prints. */
  onLine?(line: string): void;
  /** A file for what the process prints to stdout, instead of lines. */
  readonly stdoutFile?: string;
  /** The process is told what to do by `write` and `endInput`. */
  readonly hasInput?: boolean;
}

export interface ChildEnd {
  readonly exitCode: number;
  /** It did not end by itself within its time. */
  readonly isTimedOut: boolean;
  /** CPU of the whole process, user and system. */
  readonly cpuSeconds: number;
}

const running = new Set<Child>();

/** Ends every process that was started here, at once. */
export function killChildren(): void {
  for (const child of running) child.kill();
}

/** A process that cannot outlive the benchmarks, nor its time. */
export class Child implements AsyncDisposable {
  /** Settles when the process has ended and all of its lines were read. */
  readonly ended: Promise<ChildEnd>;
  readonly #process: Bun.Subprocess;
  readonly #lastLines: string[] = [];
  #isTimedOut = false;

  constructor(readonly command: readonly string[], settings: ChildSettings) {
    this.#process = Bun.spawn([...command], {
      stdin: settings.hasInput === true ? "pipe" : "ignore",
      stdout: settings.stdoutFile === undefined ? "pipe" : Bun.file(settings.stdoutFile),
      stderr: "pipe",
      env: environment(),
    });
    running.add(this);
    const { stdout, stderr } = this.#process;
    this.ended = this.#end(
      [stdout, stderr].map((stream) => this.#readLines(stream, settings.onLine)),
      settings.timeoutMs,
    );
    this.ended.catch(() => this.kill());
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** What the process printed last, for an error message. */
  get lastWords(): string {
    return this.#lastLines.join("\n");
  }

  /** Writes to its standard input. */
  write(text: string): void {
    const { stdin } = this.#process;
    if (typeof stdin !== "object") throw new Error("the process was started without an input");
    stdin.write(text);
    stdin.flush();
  }

  endInput(): void {
    const { stdin } = this.#process;
    if (typeof stdin === "object") stdin.end();
  }

  /** Asks the process to end, and ends it if it does not. */
  async stop(): Promise<ChildEnd> {
    this.#process.kill("SIGTERM");
    const deadline = setTimeout(() => this.kill(), stopGraceMs);
    try {
      return await this.ended;
    } finally {
      clearTimeout(deadline);
    }
  }

  kill(): void {
    this.#process.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #end(outputs: readonly Promise<void>[], timeoutMs: number): Promise<ChildEnd> {
    let escalation: ReturnType<typeof setTimeout> | undefined;
    const deadline = setTimeout(() => {
      this.#isTimedOut = true;
      this.#process.kill("SIGTERM");
      escalation = setTimeout(() => this.kill(), stopGraceMs);
    }, timeoutMs);
    try {
      const exitCode = await this.#process.exited;
      await Promise.all(outputs);
      const cpuMicroseconds = Number(this.#process.resourceUsage()?.cpuTime.total ?? NaN);
      return { exitCode, isTimedOut: this.#isTimedOut, cpuSeconds: cpuMicroseconds / 1e6 };
    } finally {
      clearTimeout(deadline);
      clearTimeout(escalation);
      running.delete(this);
    }
  }

  async #readLines(
    stream: ReadableStream<Uint8Array> | number | undefined,
    onLine: ChildSettings["onLine"],
  ): Promise<void> {
    if (stream === undefined || typeof stream === "number") return;
    const decoder = new TextDecoder();
    let rest = "";
    for await (const bytes of stream) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#line(line, onLine);
    }
    if (rest !== "") this.#line(rest, onLine);
  }

  #line(line: string, onLine: ChildSettings["onLine"]): void {
    this.#lastLines.push(line);
    if (this.#lastLines.length > keptLines) this.#lastLines.shift();
    onLine?.(line);
  }
}

/** Options set by the user's environment would change what is measured. */
function environment(): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith("HOLDFAST_")),
  );
}
