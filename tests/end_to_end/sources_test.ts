import assert from "node:assert/strict";
import process from "node:process";
import { runClient } from "../cli/client_process.ts";
import { Program } from "../interop/program.ts";
import { testWith } from "../programs.ts";
import { holdfast, startClient } from "./command_line.ts";
import { NetworkNamespace } from "./network_namespace.ts";

/** Where the kernel has 100 ports for each address. */
const portRange = "40000 40099";
const patience = [
  "--connect-rate",
  "500",
  "-t",
  "300ms",
  "-r",
  "200",
  "--max-schedule-error",
  "1m",
];

const address = (verb: "add" | "del", last: number) =>
  ["ip", "address", verb, `10.77.0.${last}/32`, "dev", "lo"] as const;

/** A network with 10.77.0.1 to 10.77.0.4 besides loopback's, and a server on all addresses. */
class SmallNetwork implements AsyncDisposable {
  private constructor(
    private readonly network: NetworkNamespace,
    private readonly server: Program,
  ) {}

  static async start(): Promise<SmallNetwork> {
    const network = NetworkNamespace.make();
    assert.ok(network !== undefined, "root can make network namespaces");
    const server = new Program([
      ...[...network.command, ...holdfast, "server", "tcp://:5000", "--stats", "off", "--quiet"],
    ]);
    const small = new SmallNetwork(network, server);
    try {
      for (const last of [1, 2, 3, 4]) small.run(...address("add", last));
      small.run("sh", "-c", `echo ${portRange} >/proc/sys/net/ipv4/ip_local_port_range`);
      await server.says(/^listening on \S+$/m);
    } catch (error) {
      await small[Symbol.asyncDispose]();
      throw error;
    }
    return small;
  }

  run(...command: readonly string[]): void {
    const { exitCode, stderr } = Bun.spawnSync([...this.network.command, ...command]);
    assert.equal(exitCode, 0, `${command.join(" ")}: ${stderr}`);
  }

  get holdfast(): readonly string[] {
    return [...this.network.command, ...holdfast];
  }

  client(...args: readonly string[]) {
    return runClient([...args, ...patience], { executable: this.holdfast });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    this.network[Symbol.dispose]();
  }
}

const testAsRoot = testWith(process.getuid?.() === 0 ? ["ip"] : ["ip", "root"]);

testAsRoot("a client on loopback takes the addresses that it needs", async () => {
  await using small = await SmallNetwork.start();
  // Connections that have ended hold their ports for a while, so the order matters.
  const most = await small.client("tcp://[::1]:5000", "-c", "100");
  assert.equal(most.snapshot!.connections.open, 100, "as many as were promised");

  const single = await small.client("tcp://[::1]:5000", "-c", "101");
  assert.equal(single.exitCode, 5, single.err);
  assert.match(
    single.err,
    /^holdfast: 101 connections .*, and 100 of .* 40000-40099\) are free now towards ::1; name [^\n]*\n$/,
  );

  const { exitCode, snapshot, err } = await small.client("tcp://127.0.0.1:5000", "-c", "250");
  assert.equal(exitCode, 0, err);
  assert.equal(snapshot!.connections.open, 250);
}, 60_000);

testAsRoot(
  "a client to another address says what it can open, and opens more from --source",
  async () => {
    await using small = await SmallNetwork.start();
    const target = "tcp://10.77.0.1:5000";
    const tooMany = await small.client(target, "-c", "250");
    assert.equal(tooMany.exitCode, 5, tooMany.err);
    assert.match(tooMany.err, /^holdfast: 250 connections [^\n]* 100 of [^\n]*--source[^\n]*\n$/);
    assert.match(tooMany.err, /sysctl net\.ipv4\.ip_local_port_range=.*at most 100 connections$/m);

    const notEnough = await small.client(target, "-c", "250", "--source", "10.77.0.2/31");
    assert.equal(notEnough.exitCode, 5, notEnough.err);
    assert.match(notEnough.err, /on 2 source addresses come to 200 that are free now; /);

    const more = await small.client(target, "-c", "250", "--source", "10.77.0.2/31,10.77.0.4");
    assert.equal(more.exitCode, 0, more.err);
    assert.equal(more.snapshot!.connections.open, 250);
  },
  60_000,
);

testAsRoot("an address that the host loses in the middle of a run is named", async () => {
  await using small = await SmallNetwork.start();
  const load = ["--source", "10.77.0.2,10.77.0.3", "-c", "60", "--connect-rate", "30", "-r", "20"];
  const client = startClient(["tcp://10.77.0.1:5000", ...load, "-t", "1s"], small.holdfast);
  await client.program.says(/^statistics on /m);
  small.run(...address("del", 3));
  const { snapshot, text } = await client.ended;
  const { opened, failed, failures } = snapshot.connections;
  assert.equal(opened + failed, 60);
  assert.ok(failed > 10 && failed <= 30, text);
  const [failure] = failures;
  assert.equal(failure?.kind, "host-ports", text);
  assert.match(failure.firstDetail, /^EADDRNOTAVAIL bind 10\.77\.0\.3, connect 10\.77\.0\.1:5000$/);
}, 60_000);
