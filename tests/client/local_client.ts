import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clientRows, type ClientSettings } from "../../lib/client/options.ts";
import { run } from "../../lib/client/run.ts";
import { commandLineOf } from "../../lib/options/command_line.ts";
import { type ClientOutcome, readSnapshot } from "../cli/client_process.ts";
import { CollectedIo } from "../cli/collected_io.ts";
import { until } from "../server/running_server.ts";

/** However busy this machine is, the generator is not to blame. */
const patient: Partial<ClientSettings> = {
  quiet: true,
  connectTimeoutMs: 20_000,
  maxScheduleErrorMs: 60_000,
};

/** As `CollectedIo`, with something on standard input. */
class ClientIo extends CollectedIo {
  constructor(private readonly stdin: string) {
    super();
  }

  override readStdin(): Promise<string> {
    return Promise.resolve(this.stdin);
  }
}

export interface LocalClientOptions {
  readonly stdin?: string;
  /** Statistics where the default says, and not off. */
  readonly servesByDefault?: boolean;
}

/** A client in this process: `run` as the command line calls it. Its books are checked at the end. */
export class LocalClient {
  /** Rejects with what `run` throws. */
  readonly ended: Promise<ClientOutcome>;
  readonly #io: ClientIo;
  readonly #interruption = new AbortController();
  #hasEnded = false;

  /** @param changes to the defaults of the options; without a JSON file, which is kept elsewhere. */
  constructor(
    endpoint: string,
    changes: Partial<ClientSettings>,
    { stdin = "", servesByDefault = false }: LocalClientOptions = {},
  ) {
    this.#io = new ClientIo(stdin);
    const stats: Partial<ClientSettings> = servesByDefault ? {} : { statsAddress: "off" };
    this.ended = this.#run(endpoint, { ...patient, ...stats, ...changes });
    this.ended.catch(() => {}).finally(() => this.#hasEnded = true);
  }

  get outLines(): readonly string[] {
    return this.#io.outLines;
  }

  get noteLines(): readonly string[] {
    return this.#io.noteLines;
  }

  /** Where its statistics are, once it has said so. */
  async statsUrl(): Promise<string> {
    const start = "statistics on ";
    const line = () => this.noteLines.find((line) => line.startsWith(start));
    await until("the client serves statistics", () => line() !== undefined || this.#hasEnded);
    if (line() === undefined) await this.ended;
    return line()!.slice(start.length);
  }

  interrupt(): void {
    this.#interruption.abort();
  }

  async #run(endpoint: string, changes: Partial<ClientSettings>): Promise<ClientOutcome> {
    const directory = mkdtempSync(join(tmpdir(), "holdfast-client-"));
    try {
      const jsonFile = join(directory, "run.json");
      const commandLine = commandLineOf(clientRows, [endpoint], { ...changes, jsonFile });
      const exitCode = await run(commandLine, this.#io, this.#interruption.signal);
      const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");
      return {
        exitCode,
        out: text(this.outLines),
        err: text(this.noteLines),
        snapshot: await readSnapshot(jsonFile),
      };
    } finally {
      rmSync(directory, { recursive: true });
    }
  }
}

/** A whole run in this process. */
export function runHere(
  endpoint: string,
  changes: Partial<ClientSettings>,
  options?: LocalClientOptions,
): Promise<ClientOutcome> {
  return new LocalClient(endpoint, changes, options).ended;
}
