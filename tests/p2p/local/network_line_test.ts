import { test } from "bun:test";
import assert from "node:assert/strict";
import { NetworkLine } from "../../../lib/p2p/local/network_line.ts";
import { Histogram } from "../../../lib/stats/histogram.ts";
import { twoNodes } from "./sample_network.ts";

test("NetworkLine.next() shows the phase, rates, and no delays in the warm-up", () => {
  const line = new NetworkLine();
  const snapshot = twoNodes({ warmupMs: 30_000, elapsedMs: 10_000 });
  const { histograms } = snapshot;
  const warmup = line.next({
    ...snapshot,
    phase: "warmup",
    histograms: { ...histograms, delivery: new Histogram() },
  });
  assert.match(warmup, /^ +10 s warmup +1 of 2 up +10\/s out +9\/s delivered +4 pending/);
  const running = line.next({ ...snapshot, elapsedMs: 11_000 });
  assert.match(running, /^ +11 s running +1 of 2 up .* p50 45\.\d ms +p99 \d+\.\d ms/);
});
