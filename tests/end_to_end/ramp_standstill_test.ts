import { test } from "bun:test";
import assert from "node:assert/strict";
import { testWith } from "../programs.ts";
import { assertFound, isRoot, serverAddress, TwoHosts } from "./two_hosts.ts";

const inNetwork = isRoot ? testWith(["ip"]) : test.skip;

const steadily = ["--connect-rate", "100", "--interval", "100ms", "--timeout", "3s"];

inNetwork("a ramp finds a server that stands still, over every kind of transport", async () => {
  await using hosts = await TwoHosts.make();
  const servers = {
    ws: await hosts.serve("server", "ws"),
    quic: await hosts.serve("server", "quic"),
    udp: await hosts.serve("client", "udp"),
  };
  const stats = ["--server-stats", servers.quic.statsUrl];
  const running = Promise.all([
    hosts.ramp(`ws://${serverAddress}:${servers.ws.port}`, steadily),
    hosts.ramp(`quic://${serverAddress}:${servers.quic.port}`, [
      ...[...steadily, "--insecure"],
      ...stats,
    ]),
    hosts.ramp(`udp://127.0.0.1:${servers.udp.port}`, steadily),
  ]);
  await Bun.sleep(3000);
  for (const { program } of Object.values(servers)) program.stop();
  const [ofWs, ofQuic, ofUdp] = await running;
  // Its kernel acknowledges what the server does not read.
  assertFound(ofWs, {
    side: "server",
    name: "no answers",
    evidence: [/^TCP of \d+ connections: median round trip/],
  });
  // Its statistics stand still with it.
  assertFound(ofQuic, {
    side: "server",
    name: "standstill",
    evidence: [/^server: .* statistics owed for/],
  });
  // On the same host its sockets show what waits.
  assertFound(ofUdp, { side: "server", name: "standstill" });
  assert.match(ofUdp.ramp.limit!.statement, /stopped reading: .*B wait in its sockets/);
  for (const { ramp, text } of [ofWs, ofUdp]) {
    assert.equal(ramp.knee?.affected, "existing", text);
    const { connections, atMs } = ramp.knee!;
    assert.ok(atMs >= 1000 && atMs < 4500, text);
    assert.ok(connections > 50 && connections < 500, text);
  }
}, 40_000);
