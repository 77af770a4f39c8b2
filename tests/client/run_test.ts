import { afterAll, test } from "bun:test";
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClientSettings } from "../../lib/client/options.ts";
import { UsageError } from "../../lib/errors.ts";
import type { ClientSnapshot } from "../../lib/stats/snapshot.ts";
import { formatEndpoint, type Scheme } from "../../lib/transport/endpoint.ts";
import { allAnswered } from "../cli/client_process.ts";
import * as wrong from "../cli/wrong_servers.ts";
import { expectUndisturbed, undisturbed } from "../load/disturbance.ts";
import { ChildServer } from "../server/running_server.ts";
import { messagesOf, readCsv } from "./csv_rows.ts";
import { LocalClient, runHere } from "./local_client.ts";

const directory = mkdtempSync(join(tmpdir(), "holdfast-run-"));
const server = await ChildServer.start([
  ...["tcp", "tls", "udp", "ws", "wss", "quic"].map((scheme) => `${scheme}://127.0.0.1:0`),
  ...["--write-cert", join(directory, "made")],
]);
afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true });
});

const caFile = join(directory, "made", "ca.pem");
const endpointOf = (scheme: Scheme) => `${scheme}://127.0.0.1:${server.portOf(scheme)}`;
const tcp = endpointOf("tcp");

/** What the server has counted on one of its endpoints. */
async function countsOf(scheme: Scheme) {
  const { endpoints } = await server.snapshot();
  return endpoints.find(({ endpoint }) => endpoint.startsWith(`${scheme}:`))!.counts;
}

const targets: Record<string, [Scheme, Partial<ClientSettings>]> = {
  "tcp": ["tcp", {}],
  "tls, verified": ["tls", { caFile }],
  "tls, unverified": ["tls", { insecure: true }],
  "udp": ["udp", {}],
  "ws": ["ws", {}],
  "wss": ["wss", { caFile }],
  "quic": ["quic", { caFile }],
  "quic datagrams": ["quic", { caFile, datagrams: true }],
};

for (const [name, [scheme, options]] of Object.entries(targets)) {
  test(`run() measures over ${name}, and agrees with the server`, async () => {
    const before = await countsOf(scheme);
    const endpoint = endpointOf(scheme);
    const snapshot = allAnswered(
      await runHere(endpoint, {
        ...options,
        connections: 5,
        ratePerSecond: 400,
        arrivals: "uniform",
        sizeBytes: 300,
        durationMs: 300,
        verify: true,
      }),
    );
    assert.equal(snapshot.endpoint, endpoint);
    assert.equal(snapshot.steady.due, 120);
    assert.equal(snapshot.histograms.connect.count, 5);
    assert.equal(snapshot.histograms.response.count, snapshot.steady.answered);
    const { sent, received } = snapshot.bytes;
    assert.deepEqual([sent, received], [snapshot.messages.sent * 300, sent]);
    await server.snapshotWith("its connections are gone", ({ total }) => total.open === 0);
    const after = await countsOf(scheme);
    assert.equal(after.bytesReceived - before.bytesReceived, sent);
    assert.equal(after.bytesSent - before.bytesSent, sent);
    const accepted = after.accepted - before.accepted;
    assert.equal(accepted, scheme === "udp" ? 0 : 5);
    assert.equal(after.closed + after.failed - before.closed - before.failed, accepted);
  }, 60_000);
}

interface LoadCase {
  readonly settings: Partial<ClientSettings>;
  readonly stdin?: string;
  readonly check: (snapshot: ClientSnapshot) => void;
}

const dueIs = (count: number) => ({ steady, steadyMs, steadyPlannedMs }: ClientSnapshot) => {
  assert.equal(steady.due, count);
  assert.ok(Math.abs(steadyMs - steadyPlannedMs) < 0.01, `${steadyMs} of ${steadyPlannedMs} ms`);
};

writeFileSync(join(directory, "levels"), "3\n200 500\n100 0\n200 100\n");

const loads: Record<string, LoadCase> = {
  "a Poisson rate": {
    settings: { ratePerSecond: 2000, durationMs: 500 },
    check: ({ steady, requestedRate, achievedRate }) => {
      assert.ok(Math.abs(steady.due - 1000) < 5 * Math.sqrt(1000), `${steady.due} due`);
      assert.ok(Math.abs(requestedRate - steady.due * 2) < 0.1);
      assert.ok(Math.abs(achievedRate - steady.sent * 2) < 0.1);
    },
  },
  "a uniform rate": {
    settings: { ratePerSecond: 2000, arrivals: "uniform", durationMs: 500 },
    check: dueIs(1000),
  },
  "an interval": {
    settings: { intervalMs: 50, durationMs: 500 },
    check: ({ steady, arrivals }) => {
      assert.equal(arrivals, "interval");
      // 4 connections, 10 times each; one of them may be due at either end.
      assert.ok(Math.abs(steady.due - 40) <= 4, `${steady.due} due`);
    },
  },
  "a closed loop": {
    settings: { inflight: 2, durationMs: 300 },
    check: ({ steady, verdict, arrivals }) => {
      assert.equal(arrivals, "inflight");
      assert.ok(steady.answered > 8);
      assert.match(verdict!.reasons.join(), /This is a closed loop/);
    },
  },
  "stages": {
    settings: { stages: "200ms:500, 100ms:0, 200ms:+1000/s", arrivals: "uniform" },
    // The slope begins at 0: 1000/s² × (0.2 s)² / 2.
    check: dueIs(100 + 20),
  },
  "a schedule of levels": {
    settings: { scheduleFile: join(directory, "levels"), arrivals: "uniform" },
    check: dueIs(100 + 20),
  },
  "a schedule of slopes from standard input": {
    settings: {
      scheduleFile: "-",
      scheduleFormat: "slope",
      ratePerSecond: 100,
      arrivals: "uniform",
      warmupMs: 100,
    },
    stdin: "2\n200 1000\n200 -1500\n",
    // 100 rising to 300, then falling to 0.
    check: dueIs(40 + 30),
  },
};

for (const [name, { settings, stdin = "", check }] of Object.entries(loads)) {
  test(`run() sends ${name}`, async () => {
    check(allAnswered(await runHere(tcp, { connections: 4, ...settings }, { stdin })));
  }, 30_000);
}

test("run() without a load holds its connections", async () => {
  const client = new LocalClient(tcp, { connections: 50, durationMs: 700 });
  await server.snapshotWith("all are in", ({ total }) => total.open === 50);
  const { exitCode, snapshot, err } = await client.ended;
  assert.deepEqual([exitCode, err], [0, ""]);
  assert.equal(snapshot!.connections.open, 50);
  assert.deepEqual([snapshot!.messages.due, snapshot!.bytes.sent], [0, 0]);
  await server.snapshotWith("all are out", ({ total }) => total.open === 0);
}, 30_000);

for (const [scheme, options] of [["udp", {}], ["tcp", {}], ["tls", { caFile }]] as const) {
  test(`run() asks in DNS over ${scheme}, and takes an echo for what it is`, async () => {
    const before = await countsOf(scheme);
    const { codec, messageBytes, messages, answerStatuses } = allAnswered(
      await runHere(endpointOf(scheme), {
        ...options,
        connections: 3,
        ratePerSecond: 500,
        durationMs: 300,
        codec: "dns",
        query: "www.example.org/AAAA",
        verify: true,
      }),
    );
    // RFC 1035: header, name, type and class; over streams with a length in front.
    const queryBytes = 12 + "3www7example3org0".length + 4;
    assert.deepEqual([codec, messageBytes], ["dns", queryBytes + (scheme === "udp" ? 0 : 2)]);
    assert.deepEqual(answerStatuses, { echoed: messages.answered });
    const { bytesReceived } = await countsOf(scheme);
    assert.equal(bytesReceived - before.bytesReceived, messages.sent * messageBytes);
  }, 30_000);
}

test(
  "run() with --verify finds a byte that came back changed, and without it does not",
  async () => {
    await using changing = await wrong.udpServer((message) => {
      const answer = message.slice();
      answer[answer.length - 1]! ^= 1;
      return answer;
    });
    const target = `udp://127.0.0.1:${changing.port}`;
    const load = { ratePerSecond: 500, durationMs: 300, timeoutMs: 2000 };
    allAnswered(await runHere(target, load));
    const { exitCode, snapshot, err } = await runHere(target, { ...load, verify: true });
    const { messages, anomalies } = snapshot!;
    assert.ok(messages.sent > 0);
    assert.deepEqual([messages.answered, messages.lost.corrupted], [0, messages.sent]);
    assert.equal(anomalies.corrupted, messages.sent);
    assert.equal(exitCode, 4);
    assert.match(err, /No message was answered/);
  },
  30_000,
);

test("run() with the same seed carries the same plan out, whatever the machine does", async () => {
  const plan = async (name: string, seed: number) => {
    const csvFile = join(directory, name);
    const { snapshot, exitCode } = await runHere(tcp, {
      connections: 10,
      ratePerSecond: 3000,
      durationMs: 500,
      seed,
      csvFile,
    });
    expectUndisturbed(exitCode === 0, "all was sent");
    assert.ok(snapshot!.messages.sent > 1000);
    // Rows stand as sent, which is connection by connection where several were due.
    const rows = messagesOf(readCsv(readFileSync(csvFile, "utf8")));
    rows.sort((a, b) => a.query - b.query);
    return rows.map(({ query, connection, intervalUs }) => [query, connection, intervalUs]);
  };
  await undisturbed(4, async () => {
    const first = await plan("first.csv", 7);
    assert.deepEqual(await plan("second.csv", 7), first);
    const other = await plan("other.csv", 8);
    const same = first.filter(([, , interval], k) => interval === other[k]?.[2]).length;
    assert.ok(same < first.length / 20, `${same} of ${first.length} intervals are the same`);
  });
}, 60_000);

test("run() refuses what is no run", async () => {
  await assert.rejects(runHere("tcp://127.0.0.1:0", {}), UsageError);
  await assert.rejects(runHere("tcp://127.0.0.1:1", { caFile }), UsageError);
  await assert.rejects(
    runHere("udp://127.0.0.1:1", { sizeBytes: 70_000, ratePerSecond: 1 }),
    UsageError,
  );
  await assert.rejects(runHere(tcp, { expectations: ["answer<1"] }), UsageError);
  await assert.rejects(runHere(tcp, { scheduleFile: "-" }), UsageError);
});

test("run() takes the endpoint as a user writes it", async () => {
  const { port } = server.endpoints[0]!;
  const { snapshot } = await runHere(`tcp://:${port}`, { durationMs: 50 });
  assert.equal(snapshot!.endpoint, formatEndpoint({ ...server.endpoints[0]!, host: "" }));
  assert.equal(snapshot!.connections.open, 1, "an empty host is localhost");
});
