import { test } from "bun:test";
import assert from "node:assert/strict";
import { ClientLine } from "../../lib/report/client_line.ts";
import { maxColumns } from "../../lib/report/columns.ts";
import { ServerLine, serverSummary } from "../../lib/report/server_report.ts";
import {
  clientSnapshot,
  evenHistogram,
  messages,
  serverCounts,
  serverSnapshot,
} from "../stats/sample_snapshots.ts";

test("ClientLine.next() shows the rates since the line before", () => {
  const line = new ClientLine();
  const { connections } = clientSnapshot();
  const responses = evenHistogram(1_000, 0.1, 2);
  const lost = { timeout: 1_000, closed: 0, corrupted: 0, unanswered: 0 };
  const lines = [
    line.next(
      clientSnapshot({
        phase: "ramp",
        elapsedMs: 1_000,
        messages: messages(0),
        connections: { ...connections, open: 500, opened: 500 },
      }),
      undefined,
    ),
    line.next(
      clientSnapshot({ phase: "warmup", elapsedMs: 2_000, messages: messages(50_000) }),
      undefined,
    ),
    line.next(
      clientSnapshot({ phase: "steady", elapsedMs: 4_000, messages: messages(150_000) }),
      responses,
    ),
    line.next(
      clientSnapshot({
        phase: "steady",
        elapsedMs: 725_000,
        messages: messages(721_150_000, { answered: 721_149_000, lost }),
        connections: { ...connections, open: 4_988, lost: 12 },
      }),
      responses,
    ),
  ];
  assert.deepEqual(lines, [
    "    1 s ramp       500 open      500/s opened",
    "    2 s warmup   5,000 open    50,000/s out    50,000/s back",
    "    4 s steady   5,000 open    50,000/s out    50,000/s back  p50 1.05 ms  p99 1.98 ms",
    "  725 s steady   4,988 open 1,000,000/s out   999,999/s back  p50 1.05 ms  p99 1.98 ms " +
    "1,000 lost 12 down",
  ]);
  // A million a second, and trouble on top: the longest line that has to fit.
  for (const each of lines.slice(0, 3)) assert.ok(each.length <= maxColumns);
});

test("ClientLine.next() without messages shows connections", () => {
  const line = new ClientLine();
  const text = line.next(clientSnapshot({ arrivals: "none", phase: "steady" }), undefined);
  assert.equal(text, "   75 s steady   5,000 open");
});

test("ServerLine.next() shows the rates since the line before", () => {
  const line = new ServerLine();
  const first = line.next(serverSnapshot({ elapsedMs: 5_000, total: serverCounts() }));
  const second = line.next(serverSnapshot({ elapsedMs: 10_000 }));
  assert.equal(
    first,
    "   5 s       0 open      0/s new         0/s msgs      0 B/s      0 B received",
  );
  assert.equal(
    second,
    "  10 s   1,000 open    241/s new   240,000/s msgs  15.4 MB/s  76.8 MB received  " +
      "12 refused  3 failed",
  );
  assert.ok(second.length <= maxColumns);
});

test("serverSummary() shows every endpoint and the total", () => {
  const lines = serverSummary(serverSnapshot());
  assert.equal(
    `\n${lines.join("\n")}\n`,
    `
holdfast server, 65.2 s

endpoint          open  accepted  closed  failed   messages  received     sent
tcp://[::]:4242  1,000     1,203     200       3  1,200,000   76.8 MB  76.8 MB
udp://[::]:4242      0         0       0       0          0       0 B      0 B
total            1,000     1,203     200       3  1,200,000   76.8 MB  76.8 MB

refused           12 max-connections on tcp://[::]:4242
failures          3 reset, first after 12.3 s: ECONNRESET read
server            13.9 s CPU (4.20 s user, 9.75 s system), 52.0 MB RSS
`,
  );
});

test("serverSummary() of six busy endpoints stays within the width", () => {
  const counts = serverCounts({
    open: 60_000,
    accepted: 1_060_000,
    closed: 1_000_000,
    messages: 3_600_000_000,
    bytesReceived: 3.6e12,
    bytesSent: 3.6e12,
    dropped: 17,
  });
  const endpoints = ["quic://[::]:4433-4464", "wss://[::]:8443"].map((endpoint) => ({
    endpoint,
    counts,
  }));
  const lines = serverSummary(serverSnapshot({ endpoints, total: counts }));
  for (const line of lines) assert.ok(line.length <= maxColumns, line);
  assert.ok(lines.some((line) => /^dropped +17 datagrams/.test(line)));
});

test("serverSummary() of one endpoint needs no total", () => {
  const { endpoints } = serverSnapshot();
  const lines = serverSummary(serverSnapshot({ endpoints: endpoints.slice(0, 1) }));
  assert.ok(!lines.some((line) => line.startsWith("total")));
});
