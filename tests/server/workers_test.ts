import { test } from "bun:test";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { exitCodes, HostLimitError, UsageError } from "../../lib/errors.ts";
import type { ServerCounts, ServerSnapshot } from "../../lib/stats/snapshot.ts";
import { formatEndpoint, type Scheme } from "../../lib/transport/endpoint.ts";
import { allAnswered } from "../cli/client_process.ts";
import { LocalClient, runHere } from "../client/local_client.ts";
import { childrenOf, isAlive } from "../workers/alive.ts";
import { LocalServer, until } from "./running_server.ts";

function assertBalanced({ accepted, open, closed, failed }: ServerCounts): void {
  assert.equal(accepted, open + closed + failed);
}

const urlOf = (server: LocalServer, scheme: Scheme) =>
  formatEndpoint(server.endpoints.find((endpoint) => endpoint.scheme === scheme)!);

const pidsOf = ({ workers }: ServerSnapshot) => workers!.map(({ pid }) => pid);

test("server workers share every port and one certificate, and count as one server", async () => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-workers-"));
  const schemes = ["tcp", "tls", "udp", "ws", "wss"] as const;
  const server = await LocalServer.start(
    [...schemes.map((scheme) => `${scheme}://127.0.0.1:0`)],
    { workers: 2, writeCertDirectory: directory },
  );
  try {
    assert.deepEqual(server.endpoints.map(({ scheme }) => scheme), [...schemes]);
    assert.ok(server.endpoints.every(({ port }) => port > 0));
    const caFile = join(directory, "ca.pem");
    const sent = new Map<string, number>();
    for (const scheme of schemes) {
      const snapshot = allAnswered(
        await runHere(urlOf(server, scheme), {
          connections: 40,
          intervalMs: 50,
          sizeBytes: 100,
          durationMs: 300,
          verify: true,
          ...(scheme === "tls" || scheme === "wss" ? { caFile } : {}),
        }),
        100,
      );
      sent.set(scheme, snapshot.bytes.sent);
    }
    const snapshot = await server.snapshotWith(
      "all are gone and counted",
      ({ total }) => total.open === 0 && total.accepted === 4 * 40,
    );
    for (const [index, { endpoint, counts }] of snapshot.endpoints.entries()) {
      const scheme = schemes[index]!;
      assert.equal(endpoint, urlOf(server, scheme));
      assert.equal(counts.accepted, scheme === "udp" ? 0 : 40);
      assert.ok(scheme === "udp" || counts.bytesReceived === sent.get(scheme), scheme);
      assertBalanced(counts);
    }
    assert.equal(snapshot.workers!.length, 2);
    assert.ok(pidsOf(snapshot).every((pid) => pid !== process.pid && isAlive(pid)));
    // Of 160 connections a port that is shared gives each its part.
    assert.ok(snapshot.workers!.every(({ cpuSeconds }) => cpuSeconds > 0));
    assert.equal(await server.stop(), 0);
    assert.ok(!pidsOf(snapshot).some(isAlive));
    assert.match(server.outLines.join("\n"), /^workers +2 processes$/m);
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true });
  }
}, 60_000);

test("connections are spread over the workers", async () => {
  await using server = await LocalServer.start(["ws://127.0.0.1:0"], { workers: 2 });
  const client = new LocalClient(urlOf(server, "ws"), { connections: 200, durationMs: 60_000 });
  const { workers, total } = await server.snapshotWith(
    "all are in",
    ({ total }) => total.open === 200,
  );
  assert.equal(workers!.reduce((sum, { open }) => sum + open, 0), total.open);
  // Fewer than 50 of 200 on one of two: a chance of 10^-13.
  assert.ok(workers!.every(({ open }) => open > 50), JSON.stringify(workers));
  client.interrupt();
  assert.equal((await client.ended).exitCode, exitCodes.interrupted);
}, 30_000);

test(
  "a worker that is killed is started again, and named; nothing that was counted goes",
  async () => {
    await using server = await LocalServer.start(["tcp://127.0.0.1:0", "udp://127.0.0.1:0"], {
      workers: 2,
    });
    const endpoint = urlOf(server, "tcp");
    const first = new LocalClient(endpoint, {
      ...{ connections: 100, intervalMs: 100, durationMs: 60_000 },
    });
    const before = await server.snapshotWith(
      "all are in",
      ({ total }) => total.open === 100 && total.messages > 100,
    );
    const { pid, open } = before.workers![0]!;
    process.kill(pid, "SIGKILL");
    const after = await server.snapshotWith(
      "it serves again",
      ({ workers }) => workers![0]!.pid !== pid,
    );
    const [worker] = after.workers!;
    assert.ok(isAlive(worker!.pid));
    const [end] = worker!.ends;
    assert.deepEqual([end!.pid, end!.reason, end!.connections], [pid, "SIGKILL", open]);
    assert.deepEqual([after.total.open, after.total.failed], [100 - open, open]);
    assert.equal(after.total.failures[0]?.kind, "host-worker");
    assert.ok(after.total.messages >= before.total.messages);
    assertBalanced(after.total);
    first.interrupt();
    const lost = (await first.ended).snapshot!;
    assert.equal(lost.connections.lost, open);

    const second = allAnswered(
      await runHere(endpoint, { connections: 100, intervalMs: 50, durationMs: 300 }),
    );
    assert.equal(second.connections.open, 100);
    const last = await server.snapshotWith(
      "all are gone",
      ({ total }) => total.open === 0 && total.accepted === 200,
    );
    assertBalanced(last.total);
    assert.ok(
      server.noteLines.some((line) =>
        line.startsWith(`worker 1 (pid ${pid}) ended after `) && line.includes("SIGKILL")
      ),
      server.noteLines.join("\n"),
    );
    await server.stop();
    assert.match(
      server.outLines.join("\n"),
      new RegExp(
        `worker 1 \\(pid ${pid}\\) ended after .*: SIGKILL; ${open} connections were lost`,
      ),
    );
  },
  60_000,
);

test("QUIC workers divide the range of ports, and say so where it is too small", async () => {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-workers-"));
  // A range that is free: QUIC ports are checked when they are bound.
  const start = async () => {
    for (let attempt = 0;; attempt++) {
      const port = 20_000 + Math.floor(Math.random() * 10_000);
      try {
        return await LocalServer.start([`quic://127.0.0.1:${port}-${port + 3}`], {
          workers: 2,
          writeCertDirectory: directory,
        });
      } catch (error) {
        if (!(error instanceof HostLimitError) || attempt === 10) throw error;
      }
    }
  };
  const server = await start();
  try {
    const { port, lastPort } = server.endpoints[0]!;
    assert.equal(lastPort, port + 3);
    const snapshot = allAnswered(
      await runHere(urlOf(server, "quic"), {
        connections: 12,
        connectionsPerSocket: 1,
        intervalMs: 50,
        durationMs: 1500,
        caFile: join(directory, "ca.pem"),
      }),
    );
    assert.equal(snapshot.connections.open, 12);
    const { workers, endpoints } = await server.snapshotWith(
      "all are counted",
      ({ total }) => total.accepted === 12,
    );
    assert.deepEqual(endpoints.map(({ endpoint }) => endpoint), [
      `quic://127.0.0.1:${port}-${lastPort}`,
    ]);
    assert.equal(workers!.length, 2);
  } finally {
    await server.stop();
    rmSync(directory, { recursive: true });
  }

  const small = await LocalServer.start(["quic://127.0.0.1:0", "tcp://127.0.0.1:0"], {
    workers: 2,
  });
  await small.stop();
  assert.match(small.noteLines.join("\n"), /^quic:.* is served by 1 of the 2 workers/m);
  await assert.rejects(LocalServer.start(["quic://127.0.0.1:0"], { workers: 2 }), (error) => {
    assert.ok(error instanceof UsageError);
    assert.match(error.message, /^quic:.* has too few ports for --workers 2/);
    return true;
  });
}, 60_000);

test("workers take no port that somebody else has, not even one that is shared", async () => {
  await using server = await LocalServer.start(["tcp://127.0.0.1:0"], { workers: 2 });
  const endpoint = urlOf(server, "tcp");
  for (const workers of [2, 1]) {
    await assert.rejects(LocalServer.start([endpoint], { workers }), (error) => {
      assert.ok(error instanceof HostLimitError);
      assert.match(error.message, new RegExp(`^cannot listen on ${endpoint}`));
      return true;
    });
  }
  await using sharing = await LocalServer.start([endpoint], { workers: 2, reusePort: true });
  assert.equal(urlOf(sharing, "tcp"), endpoint);
}, 30_000);

test("--max-connections is divided among the workers", async () => {
  await using server = await LocalServer.start(["tcp://127.0.0.1:0"], {
    workers: 2,
    maxConnections: 11,
  });
  const { snapshot } = await runHere(urlOf(server, "tcp"), { connections: 100, durationMs: 1800 });
  assert.equal(snapshot!.connections.open, 11);
  await until("the refusals are said", () => server.noteLines.some((line) => /refused/.test(line)));
  assert.match(
    server.noteLines.join("\n"),
    /^worker [12]: refused .*max-connections [56] are open/m,
  );
  const { total } = await server.snapshotWith("all are gone", ({ total }) => total.open === 0);
  assert.deepEqual([total.accepted, total.refused["max-connections"]], [11, 89]);
  await assert.rejects(
    LocalServer.start(["tcp://127.0.0.1:0"], { workers: 3, maxConnections: 2 }),
    UsageError,
  );
}, 30_000);

test("a worker that cannot bind is an error, and nobody stays behind", async () => {
  await assert.rejects(LocalServer.start(["tcp://192.0.2.1:4242"], { workers: 2 }), (error) => {
    assert.ok(error instanceof HostLimitError);
    assert.match(error.message, /^cannot listen on tcp:\/\/192\.0\.2\.1:4242/);
    return true;
  });
  assert.deepEqual(childrenOf(process.pid), []);
});
