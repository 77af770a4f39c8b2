import { test } from "bun:test";
import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { loadSettings } from "../../lib/client/load_plan.ts";
import { clientRows, type ClientSettings } from "../../lib/client/options.ts";
import { workerCount } from "../../lib/client/worker_count.ts";
import { UsageError } from "../../lib/errors.ts";
import { fdLimits, setFdLimits } from "../../lib/host/libc.ts";
import { defaultSettings } from "../../lib/options/command_line.ts";
import type { Scheme } from "../../lib/transport/endpoint.ts";

const cores = availableParallelism();

function count(changes: Partial<ClientSettings>, scheme: Scheme = "tcp"): number {
  const settings = { ...defaultSettings(clientRows), ...changes };
  return workerCount(scheme, settings, loadSettings(settings, undefined));
}

test("workerCount() is one where nothing is said, and what is said", () => {
  assert.equal(count({ connections: 1e9, ratePerSecond: 1e9 }), 1);
  assert.equal(count({ connections: 10, workers: 7 }), 7);
  assert.throws(() => count({ connections: 6, workers: 7 }), UsageError);
  assert.throws(() => count({ connections: 9, workers: 2, csvFile: "-" }), UsageError);
  assert.equal(count({ connections: 9, workers: 1, csvFile: "-" }), 1);
});

test("workerCount() of auto follows the highest rate, and no further than there are cores", () => {
  const auto = { workers: "auto", connections: 1000 } as const;
  assert.equal(count({ ...auto }), 1);
  assert.equal(count({ ...auto, ratePerSecond: 100_000 }), 1);
  assert.equal(count({ ...auto, ratePerSecond: 200_000 }), Math.min(2, cores));
  assert.equal(count({ ...auto, stages: "10s:1, 10s:+20k/s" }), Math.min(2, cores));
  assert.equal(count({ ...auto, ratePerSecond: 1e9 }), cores);
  assert.equal(count({ ...auto, intervalMs: 1000 }), 1);
  assert.equal(count({ ...auto, intervalMs: 5 }), Math.min(2, cores));
  assert.equal(count({ ...auto, intervalMs: 60 }, "quic"), Math.min(2, cores));
  assert.equal(count({ ...auto, inflight: 100 }), 1);
  assert.equal(count({ ...auto, connections: 1, ratePerSecond: 1e9 }), 1);
  assert.equal(count({ ...auto, ratePerSecond: 1e9, csvFile: "-" }), 1);
});

test("workerCount() of auto is one where no number of processes has room", () => {
  const before = fdLimits();
  try {
    // More than any system lets 1024 processes have: the error of one says what there is.
    const connections = 2 ** 31 - 1;
    assert.equal(count({ workers: "auto", connections }), 1);
    const shared = { workers: "auto", connections, connectionsPerSocket: connections } as const;
    assert.equal(count(shared, "quic"), 1);
  } finally {
    setFdLimits(before);
  }
});
