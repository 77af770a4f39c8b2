import { test } from "bun:test";
import assert from "node:assert/strict";
import type { ConnectionCounts } from "../../lib/stats/snapshot.ts";
import { ChildServer } from "./child_server.ts";
import { type LoadRun, runLoad, uniform } from "./load_run.ts";
import { goFirst } from "./priority.ts";
import type {
  FaultKind,
  MisbehavingServerReport,
  MisbehavingServerSettings,
} from "./misbehaving_server.ts";

goFirst();

const replyTimeoutMs = 700;

async function runAgainst(
  settings: Partial<MisbehavingServerSettings> & { faults: readonly FaultKind[] },
  run: { connections: number; ratePerSecond: number; durationMs: number; verify?: boolean },
): Promise<LoadRun & { report: MisbehavingServerReport }> {
  const transport = settings.transport ?? "tcp";
  await using server = await ChildServer.start<MisbehavingServerReport>("misbehaving_server.ts", {
    transport,
    frameBytes: 64,
    seed: 1,
    share: 0.01,
    lateMs: replyTimeoutMs + 400,
    lateAmongFirst: 2000,
    ...settings,
  });
  const { ratePerSecond, ...others } = run;
  const outcome = await runLoad({
    endpoint: `${transport}://127.0.0.1:${server.port}`,
    load: uniform(ratePerSecond),
    message: settings.frameBytes ?? 64,
    replyTimeoutMs,
    drainMs: 2000,
    ...others,
  });
  return { ...outcome, report: await server.report() };
}

function failuresOf({ failures }: ConnectionCounts): [string, number][] {
  return failures.map(({ kind, count }) => [kind, count]);
}

const everyFault: readonly FaultKind[] = [
  "dropped",
  "duplicated",
  "reordered",
  "spoiltPayloads",
  "late",
  "invented",
];

for (const transport of ["tcp", "udp"] as const) {
  test(
    `LoadGenerator counts exactly what a server does to its answers over ${transport}`,
    async () => {
      // A damaged header ends a TCP connection: that is the next test.
      const faults = transport === "udp" ? [...everyFault, "spoiltHeaders" as const] : everyFault;
      const { snapshot, report } = await runAgainst(
        { transport, faults },
        { connections: 4, ratePerSecond: 2000, durationMs: 3000 },
      );
      const { messages, anomalies, connections } = snapshot;
      const text = JSON.stringify({ report, messages, anomalies });
      for (const fault of faults) {
        // 60 expected of 6,000; 20 of those that may be late.
        assert.ok(report[fault] >= (fault === "late" ? 5 : 25), `${fault} happened: ${text}`);
      }
      assert.equal(messages.due, 6000, text);
      assert.equal(messages.sent, report.received, text);
      assert.equal(
        messages.lost.timeout,
        report.dropped + report.late + report.spoiltHeaders,
        text,
      );
      assert.equal(messages.lost.corrupted, report.spoiltPayloads, text);
      assert.equal(messages.lost.closed + messages.lost.unanswered, 0, text);
      assert.equal(
        messages.answered,
        6000 - report.dropped - report.late - report.spoiltHeaders - report.spoiltPayloads,
        text,
      );
      assert.deepEqual(anomalies, {
        duplicated: report.duplicated,
        late: report.late,
        reordered: report.reordered,
        corrupted: report.spoiltPayloads + report.spoiltHeaders,
        unknown: report.invented,
      }, text);
      assert.deepEqual([connections.open, failuresOf(connections)], [4, []]);
    },
    20_000,
  );
}

test("LoadGenerator sees damaged payloads only when it verifies", async () => {
  const { snapshot, report } = await runAgainst(
    { faults: ["spoiltPayloads"], share: 0.05 },
    { connections: 2, ratePerSecond: 2000, durationMs: 500, verify: false },
  );
  assert.ok(report.spoiltPayloads > 20);
  assert.equal(snapshot.anomalies.corrupted, 0);
  assert.equal(snapshot.messages.answered, 1000);
});

test(
  "LoadGenerator ends a stream that carries a damaged header, and goes on with the rest",
  async () => {
    const { snapshot, report } = await runAgainst(
      { faults: ["spoiltHeaders"], share: 0.002 },
      { connections: 20, ratePerSecond: 2000, durationMs: 1500 },
    );
    const { messages, anomalies, connections } = snapshot;
    const text = JSON.stringify({ report, messages, anomalies, connections });
    // A damaged answer that is behind another one on the same connection is not read any more.
    const ended = anomalies.corrupted;
    assert.ok(ended >= 1 && ended < 20 && ended <= report.spoiltHeaders, text);
    assert.deepEqual(failuresOf(connections), [["protocol", ended]], text);
    assert.deepEqual([connections.lost, connections.open], [ended, 20 - ended], text);
    assert.ok(messages.lost.closed >= ended, text);
    assert.equal(messages.lost.closed, messages.sent - messages.answered, text);
    assert.equal(messages.due, 3000, text);
    assert.equal(messages.sent, 3000, text);
  },
  20_000,
);

test("LoadGenerator counts exactly over large messages that arrive in pieces", async () => {
  const { snapshot, report } = await runAgainst(
    { faults: everyFault, frameBytes: 100_000, share: 0.05, lateAmongFirst: 100 },
    { connections: 2, ratePerSecond: 200, durationMs: 2000 },
  );
  const { messages, anomalies } = snapshot;
  const text = JSON.stringify({ report, messages, anomalies });
  assert.ok(report.spoiltPayloads > 5 && report.reordered > 5, text);
  assert.equal(messages.lost.timeout, report.dropped + report.late, text);
  assert.equal(messages.lost.corrupted, report.spoiltPayloads, text);
  assert.deepEqual(anomalies, {
    duplicated: report.duplicated,
    late: report.late,
    reordered: report.reordered,
    corrupted: report.spoiltPayloads,
    unknown: report.invented,
  }, text);
}, 20_000);
