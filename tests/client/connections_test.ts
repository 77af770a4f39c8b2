import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientSettings } from "../../lib/client/options.ts";
import { makeCertificate } from "../../lib/transport/certificates.ts";
import type { Scheme } from "../../lib/transport/endpoint.ts";
import { allAnswered } from "../cli/client_process.ts";
import { expectUndisturbed, undisturbed } from "../load/disturbance.ts";
import { ChildServer } from "../server/running_server.ts";
import { LocalClient, runHere } from "./local_client.ts";
import {
  mutualQuicServer,
  type ObservingServer,
  tcpServer,
  tlsServer,
  udpServer,
  webSocketServer,
} from "./observing_servers.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-connections-"));
afterAll(() => rmSync(directory, { recursive: true }));

async function certificateFiles(name: string) {
  const made = await makeCertificate({ names: [name], addresses: ["127.0.0.1"] });
  const write = (part: string, text: string) => {
    const path = join(directory, `${name}-${part}.pem`);
    writeFileSync(path, text);
    return path;
  };
  return {
    ...made,
    caFile: write("ca", made.ca),
    certFile: write("cert", made.cert),
    keyFile: write("key", made.key),
  };
}

const target = await certificateFiles("target.example");
const known = await certificateFiles("known.example");
const stranger = await certificateFiles("stranger.example");

const load: Partial<ClientSettings> = { ratePerSecond: 400, durationMs: 400, verify: true };

const portServers: Partial<Record<Scheme, () => ObservingServer | Promise<ObservingServer>>> = {
  tcp: tcpServer,
  tls: () => tlsServer({ cert: target.cert, key: target.key }),
  udp: udpServer,
  ws: () => webSocketServer(),
  wss: () => webSocketServer({ cert: target.cert, key: target.key }),
};

for (const [scheme, serve] of Object.entries(portServers)) {
  test(`--source-ports are those that the server sees: ${scheme}`, async () => {
    const secure = ["tls", "wss"].includes(scheme) ? { caFile: target.caFile } : {};
    // Others may take some of a range, and then all of it is too few.
    await undisturbed(5, async () => {
      await using server = await serve();
      const first = 61_000 + Math.floor(Math.random() * 4000);
      const sourcePorts = { first, last: first + 29 };
      const outcome = await runHere(`${scheme}://127.0.0.1:${server.port}`, {
        ...load,
        ...secure,
        connections: 20,
        sourcePorts,
      });
      expectUndisturbed(outcome.snapshot?.connections.opened === 20, outcome.err);
      allAnswered(outcome);
      const seen = server.sourcePorts;
      assert.equal(new Set(seen).size, seen.length, "each is used once");
      if (scheme !== "udp") assert.equal(seen.length, 20);
      assert.ok(seen.length > 10, `${seen.length} have sent something`);
      assert.ok(seen.every((port) => port >= first && port <= first + 29), seen.join());
    });
  }, 60_000);
}

/** UDP ports that this process holds, as the kernel lists them. */
function ownUdpPorts(): number[] {
  const inodes = new Set<string>();
  for (const fd of readdirSync("/proc/self/fd")) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // Closed since it was listed.
    }
  }
  return ["/proc/net/udp", "/proc/net/udp6"].flatMap((table) =>
    readFileSync(table, "latin1").split("\n").slice(1).map((line) => line.trim().split(/\s+/))
      .filter((fields) => inodes.has(fields[9] ?? ""))
      .map((fields) => parseInt(fields[1]!.split(":").at(-1)!, 16))
  );
}

test.skipIf(process.platform !== "linux")(
  "--connections-per-socket says how many QUIC connections share a UDP socket",
  async () => {
    const made = join(directory, "made");
    await using server = await ChildServer.start([
      ...["quic://127.0.0.1:0", "--write-cert", made],
    ]);
    const endpoint = `quic://127.0.0.1:${server.portOf("quic")}`;
    for (const [connectionsPerSocket, sockets] of [[1, 12], [5, 3], [32, 1]] as const) {
      const before = ownUdpPorts().length;
      const client = new LocalClient(endpoint, {
        caFile: join(made, "ca.pem"),
        connections: 12,
        connectionsPerSocket,
        ratePerSecond: 100,
        durationMs: 800,
      });
      await server.snapshotWith("all are in", ({ total }) => total.open === 12);
      assert.equal(ownUdpPorts().length - before, sockets, `${connectionsPerSocket} on each`);
      allAnswered(await client.ended);
      await server.snapshotWith("all are out", ({ total }) => total.open === 0);
    }
  },
  60_000,
);

test("--servername is the name that is asked for and verified", async () => {
  await using server = await tlsServer({ cert: target.cert, key: target.key });
  const endpoint = `tls://127.0.0.1:${server.port}`;
  const { caFile } = target;
  allAnswered(await runHere(endpoint, { ...load, caFile, servername: "target.example" }));
  const wrong = await runHere(endpoint, { ...load, caFile, servername: "other.example" });
  assert.equal(wrong.exitCode, 4);
  assert.match(wrong.err, /1 tls \([^\n]*other\.example/);
  allAnswered(await runHere(endpoint, { ...load, insecure: true, servername: "any.example" }));
  // The one that failed was known to the server, or not, by the time it ended.
  assert.deepEqual(server.servernames.filter((name) => name !== "other.example"), [
    ...["target.example", "any.example"],
  ]);
}, 30_000);

test("--cert and --key show this client to a server that asks: tls", async () => {
  await using server = await tlsServer({
    cert: target.cert,
    key: target.key,
    ca: known.ca,
    requestCert: true,
    rejectUnauthorized: true,
  });
  const endpoint = `tls://127.0.0.1:${server.port}`;
  const trusting = { ...load, connections: 3, caFile: target.caFile };
  const { certFile, keyFile } = known;
  allAnswered(await runHere(endpoint, { ...trusting, certFile, keyFile }));
  assert.deepEqual(server.clientNames, ["known.example", "known.example", "known.example"]);
  const other = { certFile: stranger.certFile, keyFile: stranger.keyFile };
  for (const shown of [{}, other]) {
    const { exitCode, err, snapshot } = await runHere(endpoint, { ...trusting, ...shown });
    assert.equal(exitCode, 4, err);
    assert.match(err, /^holdfast: tls:[^\n]*\n$/);
    assert.equal(snapshot!.messages.answered, 0);
    assert.equal(snapshot!.connections.open, 0);
  }
  assert.equal(server.clientNames.length, 3, "nobody else was let in");
}, 30_000);

test("--cert and --key show this client to a server that asks: wss", async () => {
  await using server = webSocketServer({
    cert: target.cert,
    key: target.key,
    ca: known.ca,
    requestCert: true,
    rejectUnauthorized: true,
  });
  const endpoint = `wss://127.0.0.1:${server.port}`;
  const trusting = { ...load, connections: 3, caFile: target.caFile };
  const { certFile, keyFile } = known;
  allAnswered(await runHere(endpoint, { ...trusting, certFile, keyFile }));
  const other = { certFile: stranger.certFile, keyFile: stranger.keyFile };
  for (const shown of [{}, other]) {
    const { exitCode, snapshot } = await runHere(endpoint, { ...trusting, ...shown });
    assert.equal(exitCode, 4);
    assert.equal(snapshot!.messages.answered, 0);
  }
  assert.equal(server.sourcePorts.length, 3, "nobody else was let in");
}, 30_000);

test("--cert and --key show this client to a server that asks: quic", async () => {
  await using server = await mutualQuicServer(target, known.ca);
  const endpoint = `quic://127.0.0.1:${server.port}`;
  const trusting = { ...load, connections: 3, caFile: target.caFile };
  const { certFile, keyFile } = known;
  allAnswered(await runHere(endpoint, { ...trusting, certFile, keyFile }));
  const other = { certFile: stranger.certFile, keyFile: stranger.keyFile };
  for (const shown of [{}, other]) {
    const { exitCode, err, snapshot } = await runHere(endpoint, { ...trusting, ...shown });
    assert.equal(exitCode, 4);
    assert.match(err, /3 tls \(/);
    assert.equal(snapshot!.messages.answered, 0);
  }
  assert.equal(server.streams, 3, "nobody else was let in");
}, 30_000);
