import { test } from "bun:test";
import assert from "node:assert/strict";
import { testWith } from "../programs.ts";
import { assertFound, isRoot, serverAddress, TwoHosts } from "./two_hosts.ts";

const inNetwork = (...programs: string[]) => isRoot ? testWith(["ip", ...programs]) : test.skip;

inNetwork("python3")("a ramp finds a server that has stopped accepting", async () => {
  await using hosts = await TwoHosts.make();
  const [here, there] = [
    await hosts.serveFew("client", 100, 16),
    await hosts.serveFew("server", 100, 16),
  ];
  const args = ["--connect-rate", "100", "--interval", "200ms", "--connect-timeout", "1s"];
  const [ofHere, ofThere] = await Promise.all([
    hosts.ramp(`tcp://127.0.0.1:${here}`, args),
    hosts.ramp(`tcp://${serverAddress}:${there}`, args),
  ]);
  // The kernel takes one more than the backlog.
  assertFound(ofHere, {
    side: "server",
    name: "accept queue",
    connections: 117,
    evidence: [/TcpExt\.ListenOverflows \+\d+/, /timeout/],
  });
  assert.match(ofHere.ramp.limit!.statement, /17 connections wait to be accepted/);
  // From another host, nothing shows the queue.
  assertFound(ofThere, {
    side: "peer-or-path",
    name: "unanswered connects",
    connections: 117,
    evidence: [/TcpExt\.TCPSynRetrans \+\d+/],
  });
  for (const { ramp } of [ofHere, ofThere]) assert.notEqual(ramp.knee?.affected, "existing");
}, 40_000);

inNetwork("tc")("a ramp finds a link that carries no more", async () => {
  await using hosts = await TwoHosts.make();
  const { port } = await hosts.serve("server", "tcp");
  const shaping = ["root", "tbf", "rate", "1mbit", "burst", "4kb", "limit", "100kb"];
  await hosts.onClient(["tc", "qdisc", "add", "dev", "hfc", ...shaping]);
  const args = ["--connect-rate", "20", "--interval", "100ms", "--size", "500"];
  const end = await hosts.ramp(`tcp://${serverAddress}:${port}`, args);
  assertFound(end, {
    side: "path",
    name: "delay or throughput",
    evidence: [/^TCP of \d+ connections: median round trip [\d.]+ m?s/],
  });
  assert.equal(end.ramp.knee?.affected, "existing");
  // 1 Mbit/s are 23 messages of 500 bytes, with their headers, each 100 ms.
  const { connections } = end.ramp.knee!;
  assert.ok(connections > 15 && connections < 90, end.text);
}, 30_000);

inNetwork("tc")(
  "a ramp finds that datagrams are lost on the way, though the server is idle",
  async () => {
    await using hosts = await TwoHosts.make();
    const { port, statsUrl } = await hosts.serve("server", "udp");
    const shaping = ["root", "tbf", "rate", "1mbit", "burst", "4kb", "limit", "20kb"];
    await hosts.onServer(["tc", "qdisc", "add", "dev", "hfs", ...shaping]);
    const end = await hosts.ramp(`udp://${serverAddress}:${port}`, [
      ...["--connect-rate", "30", "--interval", "100ms", "--size", "500", "--timeout", "1s"],
      ...["--server-stats", statsUrl],
    ]);
    assertFound(end, {
      side: "path",
      name: "delay, loss or throughput",
      evidence: [/^server: .* of a core/],
    });
    assert.equal(end.ramp.knee?.affected, "existing");
  },
  30_000,
);
