/** Two hosts with a cable between them: network namespaces, and what runs in them. */
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import type { RampReport } from "../../lib/stats/ramp.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { readSnapshot } from "../cli/client_process.ts";
import { Directory, Program } from "../interop/program.ts";
import { holdfast } from "./command_line.ts";
import { NetworkNamespace } from "./network_namespace.ts";

export const clientAddress = "198.51.100.1";
export const serverAddress = "198.51.100.2";
export const isRoot = process.getuid?.() === 0;

export interface ServingProgram {
  readonly program: Program;
  readonly port: number;
  readonly statsUrl: string;
}

/** A ramp that has ended. */
export interface RampEnd {
  readonly exitCode: number;
  readonly text: string;
  readonly snapshot: ClientSnapshot;
  readonly ramp: RampReport;
}

/** The cable's ends. */
const [clientDevice, serverDevice] = ["hfc", "hfs"];

export class TwoHosts implements AsyncDisposable {
  readonly #programs: Program[] = [];

  private constructor(
    private readonly client: NetworkNamespace,
    private readonly server: NetworkNamespace,
  ) {}

  /** @param pair tells them from other pairs of this process. */
  static async make(pair = ""): Promise<TwoHosts> {
    const client = NetworkNamespace.make(`${pair}c`);
    const server = NetworkNamespace.make(`${pair}s`);
    assert.ok(client !== undefined && server !== undefined, "no network namespace can be made");
    const hosts = new TwoHosts(client, server);
    const peer = ["peer", "name", serverDevice, "netns", server.name];
    await hosts.onClient(["ip", "link", "add", clientDevice, "type", "veth", ...peer]);
    const sides = [
      [clientAddress, clientDevice, hosts.onClient],
      [serverAddress, serverDevice, hosts.onServer],
    ] as const;
    for (const [address, device, run] of sides) {
      await run(["ip", "address", "add", `${address}/24`, "dev", device]);
      await run(["ip", "link", "set", device, "up"]);
    }
    return hosts;
  }

  /** Runs a command to its end, which has to be a success. */
  readonly onClient = (command: readonly string[], input = ""): Promise<string> =>
    this.client.run(command, input);

  readonly onServer = (command: readonly string[]): Promise<string> => this.server.run(command);

  /** A program that runs until the hosts are gone. */
  start(where: "client" | "server", command: readonly string[]): Program {
    const program = new Program([...this[where].command, ...command]);
    this.#programs.push(program);
    return program;
  }

  /** A holdfast server on one of the hosts. */
  async serve(
    where: "client" | "server",
    scheme: string,
    args: readonly string[] = [],
    wrapper: readonly string[] = [],
  ): Promise<ServingProgram> {
    const address = where === "server" ? serverAddress : "127.0.0.1";
    const command = ["server", `${scheme}://${address}:0`, "--quiet", "--stats", `${address}:0`];
    const program = this.start(where, [...wrapper, ...holdfast, ...command, ...args]);
    const [, statsUrl = ""] = await program.says(/^statistics on (\S+)$/m);
    const [, port = ""] = await program.says(/^listening on \w+:\/\/[^:]+:(\d+)/m);
    return { program, port: Number(port), statsUrl };
  }

  /** The server that accepts so many connections only. */
  async serveFew(where: "client" | "server", most: number, backlog: number): Promise<number> {
    const address = where === "server" ? serverAddress : "127.0.0.1";
    const program = this.start(where, [
      ...["python3", join(import.meta.dir, "accepts_few.py")],
      ...[address, String(most), String(backlog)],
    ]);
    const [, port] = await program.says(/^port (\d+)$/m);
    return Number(port);
  }

  /** `holdfast client -c max …` on the client's host, to its end. */
  async ramp(
    endpoint: string,
    args: readonly string[],
    wrapper: readonly string[] = [],
  ): Promise<RampEnd> {
    const most = args.includes("-c") ? [] : ["-c", "max"];
    const end = await this.load(endpoint, ["--drain", "500ms", ...most, ...args], wrapper);
    const { ramp } = end.snapshot;
    assert.ok(ramp !== undefined, end.text);
    return { ...end, ramp };
  }

  /** `holdfast client …` on the client's host, to its end. */
  async load(
    endpoint: string,
    args: readonly string[],
    wrapper: readonly string[] = [],
  ): Promise<Omit<RampEnd, "ramp">> {
    using directory = new Directory();
    const json = join(directory.path, "run.json");
    const program = this.start("client", [
      ...wrapper,
      ...holdfast,
      ...["client", endpoint, "--stats", "off", "--json", json, ...args],
    ]);
    const exitCode = await program.ended();
    const snapshot = await readSnapshot(json);
    assert.ok(snapshot !== undefined, program.text);
    return { exitCode, text: program.text, snapshot };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const program of this.#programs) await program[Symbol.asyncDispose]();
    this.client[Symbol.dispose]();
    this.server[Symbol.dispose]();
  }
}

/** What a ramp is expected to have found. */
export interface ExpectedLimit {
  readonly side: string;
  readonly name: string;
  /** How many connections were open when it broke; left out where the test cannot know. */
  readonly connections?: number;
  /** A line of the evidence for each. */
  readonly evidence?: readonly RegExp[];
}

/** Checks what a ramp found, and that its report says so. */
export function assertFound(end: RampEnd, expected: ExpectedLimit): void {
  const { ramp, text, snapshot, exitCode } = end;
  const { limit, knee } = ramp;
  assert.ok(limit !== undefined, text);
  assert.deepEqual([limit.side, limit.name], [expected.side, expected.name], text);
  assert.equal(snapshot.verdict?.kind, "stopped-by-limit", text);
  assert.equal(exitCode, limit.side === "client" ? 5 : 0, text);
  assert.ok(snapshot.verdict.reasons.includes(limit.statement), text);
  for (const pattern of expected.evidence ?? []) {
    assert.ok(limit.evidence.some((line) => pattern.test(line)), `${pattern}: ${text}`);
  }
  const { connections } = expected;
  if (connections === undefined || knee === undefined) return;
  // Those on their way when the second ended are a few more or less.
  assert.ok(Math.abs(knee.connections - connections) <= 3, text);
  const said = knee.connections.toLocaleString("en-US");
  assert.match(text, new RegExp(`Issues started at ${said} active connections`));
}
