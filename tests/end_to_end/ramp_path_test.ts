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

inNetwork("tc")("a ramp finds a link that carries no more, in either direction", async () => {
  await using there = await TwoHosts.make("1");
  await using back = await TwoHosts.make("2");
  const [tcp, udp] = [await there.serve("server", "tcp"), await back.serve("server", "udp")];
  const shape = ["root", "tbf", "rate", "1mbit", "burst", "4kb", "limit"];
  await there.onClient(["tc", "qdisc", "add", "dev", "hfc", ...shape, "100kb"]);
  await back.onServer(["tc", "qdisc", "add", "dev", "hfs", ...shape, "20kb"]);
  const args = ["--interval", "100ms", "--size", "500"];
  const [ofTcp, ofUdp] = await Promise.all([
    there.ramp(`tcp://${serverAddress}:${tcp.port}`, [...args, "--connect-rate", "20"]),
    back.ramp(`udp://${serverAddress}:${udp.port}`, [
      ...[...args, "--connect-rate", "30", "--timeout", "1s"],
      ...["--server-stats", udp.statsUrl],
    ]),
  ]);
  assertFound(ofTcp, {
    side: "path",
    name: "delay or throughput",
    evidence: [/^TCP of \d+ connections: median round trip [\d.]+ m?s/],
  });
  // 1 Mbit/s are 23 messages of 500 bytes, with their headers, each 100 ms.
  const { connections } = ofTcp.ramp.knee!;
  assert.ok(connections > 15 && connections < 90, ofTcp.text);
  // Datagrams leave nothing behind in the kernel: that the server is idle tells.
  assertFound(ofUdp, {
    side: "path",
    name: "delay, loss or throughput",
    evidence: [/^server: .* of a core/],
  });
  for (const { ramp, text } of [ofTcp, ofUdp]) {
    assert.equal(ramp.knee?.affected, "existing", text);
  }
}, 40_000);
