/** Whether connections begin to fail where the doctor says so. */
import { test } from "bun:test";
import assert from "node:assert/strict";
import process from "node:process";
import { conntrackEntries } from "../end_to_end/conntrack_entries.ts";
import { testWith } from "../programs.ts";
import { assertClose, hostAddress, secondAddress, SmallHost } from "./small_host.ts";

const isRoot = process.getuid?.() === 0;
/** Namespaces take root and iproute2. */
const testOnHost = isRoot ? testWith(["ip"]) : test.skip;
const small = { "net.ipv4.ip_local_port_range": "20000 21999", "net.ipv4.tcp_tw_reuse": "0" };
const endpoint = `tcp://${hostAddress}:4242`;

testOnHost("TCP: ports of the kernel's range, in part reserved and in use", async () => {
  await using host = (await SmallHost.make({
    ...small,
    "net.ipv4.ip_local_reserved_ports": "20100-20199,21990-22500",
  }))!;
  await host.serve(endpoint);
  await host.serve(`tcp://${hostAddress}:4243`);
  await host.serve(`tcp://${hostAddress}:20050`);
  // Those to another port are in nobody's way.
  await host.connect({ endpoint: `tcp://${hostAddress}:4243`, connections: 200 });
  const before = await host.diagnose(["--target", endpoint]);
  assert.equal(before.firstLimit, "ip_local_port_range");
  assert.equal(before.connections, 2000 - 100 - 10 - 1);
  await host.connect({ endpoint, connections: 300 });
  const diagnosis = await host.diagnose(["--target", endpoint, "--connections", "1700"]);
  assert.equal(diagnosis.connections, before.connections - 300);
  assert.equal(diagnosis.fits, false);
  const { reached } = await host.connect({ endpoint, connections: 1700 });
  assertClose(reached.open, diagnosis.connections, JSON.stringify(reached));
  assert.deepEqual(reached.failures, { "host-ports": 1700 - reached.open });
  assert.equal((await host.diagnose(["--target", endpoint])).connections, 0);
}, 60_000);

testOnHost("TCP: ports in TIME_WAIT, until they may be used again", async () => {
  await using host = (await SmallHost.make(small))!;
  await host.serve(endpoint);
  const orderly = { endpoint, connections: 500, isOrderly: true };
  const { program } = await host.connect(orderly);
  program.endInput();
  assert.equal(await program.ended(), 0);
  // A few may be gone at once: a server that answers the end with a reset ends TIME_WAIT too.
  const table = await host.run(["cat", "/proc/net/tcp"]);
  const waiting = [...table.matchAll(/^ *\d+: \w+:\w+ \w+:\w+ 06 /gm)].length;
  assert.ok(waiting > 400, table);
  const diagnosis = await host.diagnose(["--target", endpoint]);
  assert.equal(diagnosis.connections, 2000 - waiting);
  const { reached, program: second } = await host.connect({ endpoint, connections: 2000 });
  assertClose(reached.open, diagnosis.connections, JSON.stringify(reached));
  second.endInput();
  await second.ended();

  await host.set({ "net.ipv4.tcp_tw_reuse": "1" });
  await Bun.sleep(1100);
  const again = await host.diagnose(["--target", endpoint]);
  const { reached: reachedAgain } = await host.connect({ endpoint, connections: 2100 });
  assertClose(reachedAgain.open, again.connections, JSON.stringify(reachedAgain));
  assert.equal(again.connections, 2000);
}, 60_000);

testOnHost("TCP: --source-ports and --source, with some in use", async () => {
  await using host = (await SmallHost.make(small))!;
  await host.serve(endpoint);
  await host.connect({ endpoint, connections: 300 });
  for (
    const [options, addresses, firstPort, lastPort] of [
      [["--source-ports", "20000-20999"], ["0.0.0.0"], 20_000, 20_999],
      [
        ["--source", `${hostAddress},${secondAddress}`],
        [hostAddress, secondAddress],
        20_000,
        21_999,
      ],
    ] as const
  ) {
    const diagnosis = await host.diagnose(["--target", endpoint, ...options]);
    assert.match(diagnosis.firstLimit, /^(source ports|ip_local_port_range)$/);
    const target = { addresses: [hostAddress], port: 4242 };
    const sources = { protocol: "tcp", addresses, firstPort, lastPort, target } as const;
    const { reached, program } = await host.connect({ endpoint, connections: 4500, sources });
    assertClose(reached.open, diagnosis.connections, `${options}: ${JSON.stringify(reached)}`);
    program.endInput();
    await program.ended();
  }
}, 60_000);

testOnHost("UDP and QUIC: a port for each socket, whatever it leads to", async () => {
  await using host = (await SmallHost.make({
    ...small,
    "net.ipv4.ip_local_port_range": "20000 20299",
  }))!;
  await host.serve(`udp://${hostAddress}:4242`);
  await host.serve(`udp://${hostAddress}:4243`);
  const { program } = await host.connect({
    endpoint: `udp://${hostAddress}:4243`,
    connections: 40,
  });
  const udp = `udp://${hostAddress}:4242`;
  const diagnosis = await host.diagnose(["--target", udp]);
  assert.equal(diagnosis.connections, 260);
  const { reached, program: second } = await host.connect({ endpoint: udp, connections: 320 });
  assertClose(reached.open, diagnosis.connections, JSON.stringify(reached));
  for (const each of [program, second]) each.endInput();
  for (const each of [program, second]) await each.ended();

  await host.set({ "net.ipv4.ip_local_port_range": "20000 20049" });
  const quic = `quic://${hostAddress}:4433-4440`;
  await host.serve(quic);
  const perSocket = ["--connections-per-socket", "4"];
  const ofQuic = await host.diagnose(["--target", quic, ...perSocket]);
  assert.equal(ofQuic.connections, 200);
  const { reached: sessions } = await host.connect({
    endpoint: quic,
    connections: 240,
    connectionsPerSocket: 4,
  });
  assertClose(sessions.open, ofQuic.connections, JSON.stringify(sessions));
}, 60_000);

testOnHost("loopback: one address has few ports, 127.0.0.0/8 has enough", async () => {
  await using host = (await SmallHost.make(small))!;
  await host.serve("tcp://127.0.0.1:4242");
  const target = "tcp://127.0.0.1:4242";
  const diagnosis = await host.diagnose(["--target", target, "--connections", "5000"]);
  assert.equal(diagnosis.fits, true);
  const run = await host.client([target, "-c", "5000", "--connect-rate", "5000", "-t", "200ms"]);
  assert.equal(run.snapshot?.connections.open, 5000, run.err);
}, 60_000);

testOnHost("a client that opens connections until it breaks", async () => {
  await using host = (await SmallHost.make(small))!;
  await host.serve(endpoint);
  await host.connect({ endpoint, connections: 400 });
  const { connections } = await host.diagnose(["--target", endpoint]);
  assert.equal(connections, 1600);
  const load = ["-c", "max", "--connect-rate", "2000", "--interval", "1s"];
  const run = await host.client([endpoint, ...load, "--max-schedule-error", "1m"]);
  assertClose(run.snapshot?.connections.opened ?? 0, connections, run.out + run.err);
  assert.match(run.out, /^limit +source ports, on this host$/m);
}, 60_000);

const fdLimit = 5000;

testOnHost("descriptors of a client", async () => {
  await using host = (await SmallHost.make())!;
  await host.serve(endpoint);
  const { connections, firstLimit } = await host.diagnose(["--target", endpoint], fdLimit);
  assert.equal(firstLimit, "nofile");
  const { reached } = await host.connect({ endpoint, connections: fdLimit }, fdLimit);
  assertClose(reached.open, connections, JSON.stringify(reached));
  assert.deepEqual(Object.keys(reached.failures), ["host-fds"]);
}, 60_000);

testOnHost("descriptors of several processes", async () => {
  await using host = (await SmallHost.make())!;
  await host.serve(endpoint);
  const shared = ["--workers", "3"];
  const { connections } = await host.diagnose(["--target", endpoint, ...shared], 600);
  assert.equal(connections, 1500);
  const load = [endpoint, ...shared, "--connect-rate", "3000", "-t", "200ms", "-c"];
  const enough = await host.client([...load, `${connections}`], 600);
  assert.equal(enough.snapshot?.connections.open, connections, enough.err);
  const more = await host.client([...load, `${connections + 1}`], 600);
  assert.equal(more.exitCode, 5, more.err);
}, 60_000);

testOnHost("descriptors of a server", async () => {
  await using host = (await SmallHost.make())!;
  for (const scheme of ["tcp", "ws"]) {
    const served = `${scheme}://${hostAddress}:${scheme === "tcp" ? 4242 : 4243}`;
    await host.serve(served, 1500);
    const { connections, firstLimit } = await host.diagnose(
      ["--role", "server", "--target", served],
      1500,
    );
    assert.equal(firstLimit, "nofile");
    const { reached } = await host.connect({ endpoint: served, connections: 1600 });
    assertClose(reached.open, connections, `${scheme}: ${JSON.stringify(reached)}`);
  }
}, 60_000);

/** Entries that the test leaves in the table. */
const room = 1000;

(isRoot ? testWith(["ip", "nft", "conntrack"]) : test.skip)(
  "connection tracking: the room in its table, once a rule asks for it",
  async () => {
    await using host = (await SmallHost.make())!;
    await host.serve(endpoint);
    // The size of the table is one for the whole host, its content is the namespace's own.
    const max = Number(await host.sysctl("net.netfilter.nf_conntrack_max"));
    await host.run(["conntrack", "-R", "-"], conntrackEntries(max - room));
    const before = await host.diagnose(["--target", endpoint]);
    assert.notEqual(before.firstLimit, "nf_conntrack_max");
    const { reached: untracked, program } = await host.connect({ endpoint, connections: 1200 });
    assert.equal(untracked.open, 1200);
    program.endInput();
    await program.ended();
    // What ends after the rule is there has entries too.
    await host.connectionsEnded();

    const rule = "table inet t { chain c { type filter hook output priority 0; ct state new; }; }";
    await host.run(["nft", rule]);
    const diagnosis = await host.diagnose(["--target", endpoint, "-c", "1200"]);
    assert.equal(diagnosis.firstLimit, "nf_conntrack_max");
    assert.equal(diagnosis.fits, false);
    const { reached } = await host.connect({ endpoint, connections: 1200 });
    assertClose(reached.open, diagnosis.connections, JSON.stringify(reached));
  },
  90_000,
);

testOnHost("accept queue: connects that wait for a server that does not accept", async () => {
  await using host = (await SmallHost.make({ "net.core.somaxconn": "200" }))!;
  const server = await host.serve(endpoint);
  const diagnosis = await host.diagnose(["--role", "server", "--target", endpoint, "-c", "5000"]);
  const queue = diagnosis.limits.find(({ name }) => name === "somaxconn")!;
  assert.deepEqual([queue.value, queue.verdict], ["200", "short"]);
  server.stop();
  const { reached } = await host.connect({ endpoint, connections: 300 });
  assertClose(reached.open, 200, JSON.stringify(reached));
}, 60_000);
