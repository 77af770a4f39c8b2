import { test } from "bun:test";
import assert from "node:assert/strict";
import { maxColumns } from "../../lib/report/columns.ts";
import { clientSummary } from "../../lib/report/client_summary.ts";
import { rampSummary } from "../../lib/report/ramp_summary.ts";
import { clientSnapshot, rampReport } from "../stats/sample_snapshots.ts";

test("rampSummary() shows the table, where it broke, and the limit", () => {
  const lines = rampSummary(rampReport());
  assert.deepEqual(lines, [
    "connections  until  average  shortest  longest      p99  lost  failed  closed",
    "700          1.0 s  2.00 ms   1.00 ms  9.00 ms  8.00 ms     1       0       0",
    "700          2.0 s        –         –        –        –     1      41       0  <- issues started",
    "",
    "broken when       connections.failed>1%, response.p99>1s for 3 s running",
    "knee              issues started at 700 active connections, after 1.0 s",
    "limit             refusals, on the server",
    "evidence          - 41 reset: ECONNRESET",
    "                  - kernel: Tcp.OutRsts +41 (resets sent)",
  ]);
});

test("rampSummary() says that nothing broke", () => {
  const lines = rampSummary({ ...rampReport(), knee: undefined, limit: undefined });
  assert.equal(lines.at(-1), "knee              none: nothing broke");
  assert.ok(!lines.some((line) => line.includes("issues started")));
  assert.deepEqual(rampSummary(undefined), []);
});

test("clientSummary() has room for a ramp", () => {
  const lines = clientSummary(clientSnapshot({ ramp: rampReport() }));
  assert.ok(lines.includes("limit             refusals, on the server"));
  for (const line of lines) assert.ok(line.length <= maxColumns, line);
});
