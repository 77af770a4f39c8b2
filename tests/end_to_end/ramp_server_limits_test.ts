import { test } from "bun:test";
import assert from "node:assert/strict";
import { testWith } from "../programs.ts";
import { assertFound, isRoot, serverAddress, TwoHosts } from "./two_hosts.ts";

const testInNetwork = isRoot ? testWith(["ip", "prlimit"]) : test.skip;

const slow = ["--connect-rate", "150", "--interval", "250ms"];

testInNetwork("a ramp finds what a server refuses, and with its statistics why", async () => {
  await using hosts = await TwoHosts.make();
  const limited = ["--max-connections", "200"];
  const fewFds = ["prlimit", "--nofile=300:300"];
  const [ws, quic, tcp] = [
    await hosts.serve("server", "ws", limited),
    await hosts.serve("server", "quic", limited),
    await hosts.serve("server", "tcp", [], fewFds),
  ];
  const to = (scheme: string, { port }: { port: number }) => `${scheme}://${serverAddress}:${port}`;
  const [ofWs, ofQuic, ofTcp] = await Promise.all([
    hosts.ramp(to("ws", ws), slow),
    hosts.ramp(to("quic", quic), [...slow, "--insecure", "--server-stats", quic.statsUrl]),
    hosts.ramp(to("tcp", tcp), [
      ...[...slow, "--workers", "2"],
      ...["--server-stats", tcp.statsUrl],
    ]),
  ]);
  assertFound(ofWs, {
    side: "server",
    name: "refusals",
    connections: 200,
    evidence: [/refused: .*503/, /^messages: .* 0 lost/],
  });
  assert.equal(ofWs.ramp.knee?.affected, "new");
  assert.match(ofWs.ramp.limit!.statement, /refuses new connections .* open ones go on/);
  assertFound(ofQuic, {
    side: "server",
    name: "maximum of connections",
    connections: 200,
    evidence: [/^server: 20\d open, .* refused \(max-connections\)/, /CONNECTION_REFUSED/],
  });
  const open = ofTcp.snapshot.connections.open;
  assert.ok(open > 180 && open < 300, ofTcp.text);
  assertFound(ofTcp, {
    side: "server",
    name: "file descriptors",
    connections: open,
    evidence: [/^server: \d+ open, .* refused \(fd-limit\).* file descriptors/],
  });
  // No message was lost but on those that were turned away, and their tables lead up to the knee.
  for (const { snapshot, ramp, text } of [ofWs, ofQuic, ofTcp]) {
    const { messages, connections } = snapshot;
    assert.equal(messages.answered + connections.lostUnusedMessages!, messages.sent, text);
    assert.deepEqual(snapshot.steady, snapshot.messages, "all of the ramp is measured");
    assert.ok(ramp.rows.length >= 4);
    const [first] = ramp.rows;
    assert.ok(first!.minNs > 0 && first!.minNs <= first!.meanNs && first!.p99Ns <= first!.maxNs);
    assert.match(text, /^connections +until +average +shortest +longest +p99/m);
    assert.match(text, /<- issues started$/m);
  }
}, 40_000);

testInNetwork("a ramp in steps holds each, and is measured step by step", async () => {
  await using hosts = await TwoHosts.make();
  const { port } = await hosts.serve("server", "tcp", ["--max-connections", "250"]);
  const end = await hosts.ramp(`tcp://${serverAddress}:${port}`, [
    ...["--step", "100/1s", "--connect-rate", "1000", "--interval", "200ms"],
    ...["--break-when", "connections.failed>10%", "--break-when", "response.p99>900ms"],
  ]);
  assertFound(end, { side: "server", name: "refusals", connections: 250 });
  const { rows, conditions } = end.ramp;
  // Two steps that hold, one that is refused half, and those that are refused altogether.
  assert.deepEqual(rows.slice(0, 2).map(({ connections }) => connections), [100, 200]);
  assert.ok(rows.length >= 4 && rows.length <= 6, end.text);
  assert.deepEqual(conditions, [
    "connections.failed>10%",
    "response.p99>900ms",
    "connections.lost>0.1%",
    "lost>0.1%",
  ]);
}, 40_000);

testInNetwork("a ramp at which nothing breaks is ok, and says that it held", async () => {
  await using hosts = await TwoHosts.make();
  const { port } = await hosts.serve("server", "udp");
  const end = await hosts.ramp(`udp://${serverAddress}:${port}`, [
    ...["-c", "300", "--step", "150/500ms", "-t", "1s", "--interval", "100ms"],
    ...["--max-schedule-error", "1m"],
  ]);
  assert.equal(end.exitCode, 0, end.text);
  assert.equal(end.snapshot.verdict?.kind, "ok");
  assert.match(end.snapshot.verdict.reasons[0]!, /^All 300 connections were opened and held/);
  assert.deepEqual([end.ramp.knee, end.ramp.limit], [undefined, undefined]);
  const { steady, connections } = end.snapshot;
  assert.equal(connections.open, 300);
  // 150 for 0.5 s, then 300 for 1 s and what it took to open them, ten messages a second each.
  assert.ok(steady.sent > 3500 && steady.answered === steady.sent, end.text);
}, 30_000);
