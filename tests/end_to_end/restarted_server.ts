/** A server that is killed and started again on the same ports, and clients that come back to it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import type { Outage } from "../../lib/stats/outage.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { formatEndpoint } from "../../lib/transport/endpoint.ts";
import { Directory } from "../interop/program.ts";
import { ChildServer } from "../server/running_server.ts";
import { optionsFor, type TargetName } from "./targets.ts";

export class RestartedServer implements AsyncDisposable {
  /** Wall clock: killed, started again, and known to listen again. */
  killedAtMs = NaN;
  startedAtMs = NaN;
  listeningAtMs = NaN;

  private constructor(
    public server: ChildServer,
    private readonly endpoints: readonly string[],
    private readonly names: readonly TargetName[],
    private readonly directory: Directory,
    private readonly args: readonly string[],
  ) {}

  /** A server process with an endpoint for each name. */
  static async start(
    names: readonly TargetName[],
    args: readonly string[] = [],
  ): Promise<RestartedServer> {
    const directory = new Directory();
    const isSecure = names.some((name) => /tls|wss|quic/.test(name));
    const server = await ChildServer.start([
      ...names.map((name) => `${name.split(" ")[0]}://127.0.0.1:0`),
      ...(isSecure ? ["--write-cert", directory.path] : []),
      "--quiet",
      ...args,
    ]);
    const certificate = isSecure
      ? ["--cert", join(directory.path, "cert.pem"), "--key", join(directory.path, "key.pem")]
      : [];
    const endpoints = server.endpoints.map(formatEndpoint);
    return new RestartedServer(server, endpoints, names, directory, [
      ...certificate,
      "--quiet",
      ...args,
    ]);
  }

  /** The arguments with which a client reaches it. */
  argumentsFor(name: TargetName): string[] {
    const options = optionsFor(name, join(this.directory.path, "ca.pem"));
    return [this.endpoints[this.names.indexOf(name)]!, ...options];
  }

  /** Kills it, and starts it again so much later. */
  async restart(afterMs: number): Promise<void> {
    await this.kill();
    await Bun.sleep(afterMs);
    await this.startAgain();
  }

  async kill(): Promise<void> {
    this.killedAtMs = Date.now();
    await this.server.stop();
  }

  async startAgain(): Promise<void> {
    this.startedAtMs = Date.now();
    this.server = await ChildServer.start([...this.endpoints, ...this.args]);
    this.listeningAtMs = Date.now();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    this.directory[Symbol.dispose]();
  }
}

/** The only outage of a run, which is over. */
export function onlyOutage({ outages }: ClientSnapshot, text: string): Outage {
  assert.equal(outages?.total, 1, text);
  const [outage] = outages.list;
  assert.ok(outage?.isOver && outage.down === 0, text);
  return outage;
}
