/** A host whose limits a test chooses: a network namespace, and what runs in it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { type ClientOutcome, runClient } from "../cli/client_process.ts";
import { NetworkNamespace } from "../end_to_end/network_namespace.ts";
import { holdfast } from "../end_to_end/command_line.ts";
import { Program } from "../interop/program.ts";
import type { Job, Reached } from "./connector.ts";

/** Of this host, and neither loopback nor an address of any other network. */
export const hostAddress = "198.51.100.1";
export const secondAddress = "198.51.100.2";

/** What `holdfast doctor --json` says, as far as tests read it. */
export interface Diagnosis {
  readonly answer: string;
  readonly connections: number;
  readonly firstLimit: string;
  readonly fits: boolean;
  readonly limits: readonly {
    readonly name: string;
    readonly value: string;
    readonly connections: number | null;
    readonly verdict: string;
    readonly note: string;
    readonly commands: readonly string[];
  }[];
}

export class SmallHost implements AsyncDisposable {
  readonly #network: NetworkNamespace;
  readonly #programs: Program[] = [];

  private constructor(network: NetworkNamespace) {
    this.#network = network;
  }

  /** @returns undefined where this process may not make one. */
  static async make(settings: Readonly<Record<string, string>> = {}): Promise<
    SmallHost | undefined
  > {
    const network = NetworkNamespace.make();
    if (network === undefined) return undefined;
    const host = new SmallHost(network);
    for (const address of [hostAddress, secondAddress]) {
      await host.run(["ip", "address", "add", `${address}/32`, "dev", "lo"]);
    }
    await host.set(settings);
    return host;
  }

  /** Sets sysctls of the namespace. */
  async set(settings: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, value] of Object.entries(settings)) {
      await this.run([
        "sh",
        "-c",
        `echo "$1" > "/proc/sys/$(echo "$2" | tr . /)"`,
        "sh",
        value,
        name,
      ]);
    }
  }

  async sysctl(name: string): Promise<string> {
    const text = await this.run(["cat", `/proc/sys/${name.replaceAll(".", "/")}`]);
    return text.trim().replace(/\s+/g, " ");
  }

  /** A program that runs on until the host is disposed of. */
  start(command: readonly string[]): Program {
    const program = new Program([...this.#network.command, ...command]);
    this.#programs.push(program);
    return program;
  }

  /** Runs a command to its end, which has to be a success. */
  run(command: readonly string[], input = ""): Promise<string> {
    return this.#network.run(command, input);
  }

  /** A holdfast server; its name is that of what it listens on. */
  async serve(endpoint: string, fdLimit?: number): Promise<Program> {
    const program = this.start([
      ...withFds(fdLimit),
      ...[...holdfast, "server", endpoint, "--quiet", "--stats", "off"],
    ]);
    await program.says(/^listening on /m);
    return program;
  }

  /** What the doctor says, who runs here too. */
  async diagnose(args: readonly string[], fdLimit?: number): Promise<Diagnosis> {
    const program = this.start([
      ...withFds(fdLimit),
      ...[...holdfast, "doctor", "--json", "-", ...args],
    ]);
    const code = await program.ended();
    assert.ok(code === 0 || code === 5, program.text);
    const diagnosis = JSON.parse(program.text) as Diagnosis;
    assert.equal(diagnosis.fits, code === 0);
    return diagnosis;
  }

  /** Resolves when no TCP connection is open any more or about to end; TIME_WAIT is over for both. */
  async connectionsEnded(): Promise<void> {
    const [listening, timeWait] = ["0A", "06"];
    for (let tries = 0; tries < 500; tries++) {
      const table = await this.run(["cat", "/proc/net/tcp"]);
      const states = [...table.matchAll(/^ *\d+: \w+:\w+ \w+:\w+ (\w\w) /gm)].map(([, of]) => of);
      if (states.every((state) => state === listening || state === timeWait)) return;
      await Bun.sleep(20);
    }
    assert.fail("connections of a program that has ended are still open");
  }

  /** `holdfast client`, to its end. */
  client(args: readonly string[], fdLimit?: number): Promise<ClientOutcome> {
    const executable = [...this.#network.command, ...withFds(fdLimit), ...holdfast];
    return runClient(args, { executable });
  }

  /** Opens connections until they fail. They stay open until the returned program's input ends. */
  async connect(job: Job, fdLimit?: number): Promise<{ program: Program; reached: Reached }> {
    const connector = join(import.meta.dir, "connector.ts");
    const program = this.start([
      ...withFds(fdLimit),
      ...[process.execPath, "--no-warnings", connector, JSON.stringify(job)],
    ]);
    const [, reached] = await program.says(/^reached (.*)$/m);
    return { program, reached: JSON.parse(reached!) as Reached };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) await program[Symbol.asyncDispose]();
    this.#network[Symbol.dispose]();
  }
}

/** A shell that may have so many descriptors, and cannot raise that, in front of a command. */
function withFds(limit: number | undefined): string[] {
  if (limit === undefined) return [];
  const shell = ["/bin/sh", "-c", `ulimit -n ${limit} && exec "$@"`, "sh"];
  return process.getuid?.() === 0 ? [...shell, "setpriv", "--bounding-set=-sys_resource"] : shell;
}

/** What was predicted and what came true may differ by 2 %. */
export function assertClose(reached: number, predicted: number, what: string): void {
  assert.ok(
    Math.abs(reached - predicted) <= 0.02 * reached,
    `${what}: predicted ${predicted}, reached ${reached}`,
  );
}
