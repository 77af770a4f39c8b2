import { test } from "bun:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { testWith } from "../programs.ts";
import { conntrackEntries } from "./conntrack_entries.ts";
import { assertFound, isRoot, serverAddress, TwoHosts } from "./two_hosts.ts";

const inNetwork = (...programs: string[]) => isRoot ? testWith(["ip", ...programs]) : test.skip;

const slow = ["--connect-rate", "150", "--interval", "250ms"];

inNetwork("prlimit")(
  "a ramp ends at the descriptors and at the ports of its own host",
  async () => {
    await using hosts = await TwoHosts.make();
    const [tcp, ws] = [await hosts.serve("server", "tcp"), await hosts.serve("server", "ws")];
    const fewFds = ["prlimit", "--nofile=260:260"];
    // A port towards one server is another one's too.
    const fewAtOnce = [...slow, "-t", "1s"];
    await hosts.onClient(["sysctl", "-qw", "net.ipv4.ip_local_port_range=40000 40179"]);
    const [ofFds, ofPorts] = await Promise.all([
      hosts.ramp(`tcp://${serverAddress}:${tcp.port}`, fewAtOnce, fewFds),
      hosts.ramp(`ws://${serverAddress}:${ws.port}`, slow),
    ]);
    // 100 descriptors stay in reserve.
    assertFound(ofFds, {
      side: "client",
      name: "file descriptors",
      evidence: [/RLIMIT_NOFILE: 260/],
    });
    assert.deepEqual([ofFds.snapshot.connections.open, ofFds.ramp.knee], [160, undefined]);
    assert.match(
      ofFds.ramp.limit!.statement,
      /all 160 connections .* were opened, and nothing broke/,
    );
    assertFound(ofPorts, {
      side: "client",
      name: "source ports",
      connections: 180,
      evidence: [/host-ports: EADDRNOTAVAIL/, /ephemeral ports: 180/],
    });
    assert.match(ofPorts.ramp.limit!.statement, /ephemeral range 40000–40179 has 180/);
  },
  30_000,
);

/** Entries that the test leaves in the table. */
const room = 200;

inNetwork("nft", "conntrack")("a ramp ends at a full connection tracking table", async () => {
  await using hosts = await TwoHosts.make();
  const [tcp, udp] = [await hosts.serve("server", "tcp"), await hosts.serve("server", "udp")];
  const tracking =
    "table inet t { chain c { type filter hook output priority 0; ct state new; }; }";
  await hosts.onClient(["nft", tracking]);
  // The size of the table is one for the whole host, its content is the namespace's own.
  const max = Number(readFileSync("/proc/sys/net/netfilter/nf_conntrack_max", "latin1"));
  await hosts.onClient(["conntrack", "-R", "-"], conntrackEntries(max - room));
  const patience = ["--connect-timeout", "1s"];
  const [ofTcp, ofUdp] = await Promise.all([
    hosts.ramp(`tcp://${serverAddress}:${tcp.port}`, [...slow, ...patience]),
    hosts.ramp(`udp://${serverAddress}:${udp.port}`, slow),
  ]);
  const expected = { side: "client", name: "connection tracking table" };
  const counted = [/Conntrack\.drop \+\d+/, /connection tracking: [\d,]+ of [\d,]+ entries/];
  assertFound(ofTcp, { ...expected, evidence: [...counted, /timeout/] });
  assertFound(ofUdp, { ...expected, evidence: [...counted, /unreachable: EPERM/] });
  // Open ones may fail too: the kernel makes room by forgetting what has hardly begun.
  for (const { ramp } of [ofTcp, ofUdp]) assert.notEqual(ramp.knee?.affected, "existing");
  const open = ofTcp.snapshot.connections.open + ofUdp.snapshot.connections.open;
  assert.ok(open > 0.9 * room && open < 1.2 * room, ofTcp.text + ofUdp.text);

  await hosts.onClient(["conntrack", "-D", "-p", "tcp"]);
  // An ordinary run is not taken for one that says something about the target.
  const ordinary = await hosts.load(`tcp://${serverAddress}:${tcp.port}`, [
    ...["-c", "400", "-t", "1s", "--connect-timeout", "1s"],
  ]);
  assert.equal(ordinary.snapshot.verdict?.kind, "invalid", ordinary.text);
  assert.equal(ordinary.exitCode, 3);
  assert.match(ordinary.snapshot.verdict.reasons.join(" "), /tracking table of this host is full/);
}, 60_000);
