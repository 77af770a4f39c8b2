import { test } from "bun:test";
import assert from "node:assert/strict";
import { join } from "node:path";
import { defaultEndpoints } from "../../lib/server/options.ts";
import { parseSnapshot } from "../../lib/stats/snapshot_json.ts";
import { allAnswered, runClient } from "../cli/client_process.ts";
import { Directory, Program } from "../interop/program.ts";
import { holdfast } from "./command_line.ts";
import { NetworkNamespace } from "./network_namespace.ts";

/** Exit code of a server whose ports are in use. */
const hostLimit = 5;

/** Schemes in the order of the default endpoints, with the port that a client names. */
const targets = [
  ["tcp", "4242"],
  ["udp", "4242"],
  ["tls", "4243"],
  ["ws", "8080"],
  ["wss", "8443"],
  ["quic", "4433-4464"],
] as const;

test("holdfast server without endpoints serves all six transports on IPv4 and IPv6", async () => {
  // Where none can be made, in that of this host.
  using network = NetworkNamespace.make();
  const prefix = network?.command ?? [];
  using directory = new Directory();
  const [certificates, json] = ["made", "server.json"].map((name) => join(directory.path, name));
  await using server = new Program([
    ...[...prefix, ...holdfast, "server", "--write-cert", certificates!, "--json", json!],
  ]);
  try {
    await server.says(/^statistics on http:\/\/127\.0\.0\.1:\d+\/$/m);
  } catch (error) {
    // Something else on this host has one of the ports, which is what it has to say.
    if (network !== undefined) throw error;
    assert.equal(await server.ended(), hostLimit, server.text);
    assert.match(server.text, /^holdfast: cannot listen on \S+: port \d+ is in use/m);
    return;
  }
  const listening = [...server.text.matchAll(/^listening on (\S+)$/gm)].map(([, name]) => name);
  assert.deepEqual(listening, defaultEndpoints);

  let sentBytes = 0;
  for (const [scheme, port] of targets) {
    const trust = ["tls", "wss", "quic"].includes(scheme)
      ? ["--ca", join(certificates!, "ca.pem")]
      : [];
    const load = ["-c", "3", "-r", "100", "-t", "300ms", "--verify"];
    const executable = [...prefix, ...holdfast];
    const snapshots = await Promise.all(["127.0.0.1", "[::1]", "localhost"].map(async (host) => {
      const target = `${scheme}://${host}:${port}`;
      const patience = ["--max-schedule-error", "1m"];
      return allAnswered(
        await runClient([target, ...trust, ...load, ...patience], { executable }),
      );
    }));
    for (const { bytes } of snapshots) sentBytes += bytes.sent;
  }
  server.interrupt();
  assert.equal(await server.ended(), 0, server.text);
  const snapshot = parseSnapshot(await Bun.file(json!).text());
  assert.ok(snapshot.role === "server");
  const { total, endpoints } = snapshot;
  assert.deepEqual(endpoints.map(({ endpoint }) => endpoint), defaultEndpoints);
  assert.deepEqual(endpoints.map(({ counts }) => counts.accepted), [9, 0, 9, 9, 9, 9]);
  assert.equal(total.open, 0);
  assert.deepEqual([total.bytesReceived, total.bytesSent], [sentBytes, sentBytes]);
  assert.deepEqual([total.refused, total.dropped], [{}, 0]);
}, 60_000);
