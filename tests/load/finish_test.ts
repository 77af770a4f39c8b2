import { test } from "bun:test";
import assert from "node:assert/strict";
import type { LoadGenerator } from "../../lib/load/load_generator.ts";
import type { Load } from "../../lib/load/load_settings.ts";
import { nowNs } from "../../lib/stats/clock.ts";
import type { Phase } from "../../lib/stats/snapshot.ts";
import { lostOf } from "./books.ts";
import { ChildServer } from "./child_server.ts";
import type { DelayingServerReport } from "./delaying_server.ts";
import { runLoad, uniform } from "./load_run.ts";
import { goFirst } from "./priority.ts";

goFirst();

const plans: Record<string, { phase: Phase; load: Load; plan: object }> = {
  "an interval's ramp": {
    phase: "ramp",
    load: { kind: "interval", intervalMs: 20 },
    plan: { connectsPerSecond: 10, connections: 1000 },
  },
  "a warm-up": { phase: "warmup", load: uniform(500), plan: { warmupMs: 60_000 } },
  "an open loop": { phase: "steady", load: uniform(500), plan: {} },
  "an interval": { phase: "steady", load: { kind: "interval", intervalMs: 20 }, plan: {} },
  "a closed loop": { phase: "steady", load: { kind: "inflight", outstanding: 3 }, plan: {} },
  "no load": { phase: "steady", load: { kind: "none" }, plan: {} },
};

for (const [name, { phase, load, plan }] of Object.entries(plans)) {
  test(`finish() ends ${name} in order: what was sent is answered`, async () => {
    await using server = await ChildServer.start<DelayingServerReport>("delaying_server.ts", {
      transport: "tcp",
      frameBytes: 32,
      delays: [{ ms: 100, share: 1 }],
    });
    let timer: ReturnType<typeof setInterval> | undefined;
    let finished: { generator: LoadGenerator; atNs: number } | undefined;
    const { snapshot } = await runLoad({
      endpoint: `tcp://127.0.0.1:${server.port}`,
      message: 32,
      connections: 4,
      durationMs: 60_000,
      load,
      ...plan,
      during(generator) {
        timer = setInterval(() => {
          const { times } = generator;
          const isDue = times.phase === phase && nowNs() - times.startNs > 350e6;
          if (!isDue || finished !== undefined) return;
          finished = { generator, atNs: nowNs() };
          generator.finish();
          generator.finish(); // once more makes no difference
        }, 5);
      },
    });
    clearInterval(timer);
    const { messages, steady } = snapshot;
    const text = JSON.stringify(messages);
    assert.ok(finished !== undefined);
    assert.ok(nowNs() - finished.atNs < 5e9, "it waits for the answers, and no longer");
    assert.deepEqual([snapshot.phase, snapshot.interrupted], ["done", false]);
    assert.equal(lostOf(messages), 0, text);
    assert.equal(messages.answered, messages.sent, text);
    assert.equal(messages.due, messages.sent + messages.unsent.generatorLate, text);
    assert.equal(messages.sent > 0, load.kind !== "none", text);
    if (phase === "steady") {
      const { steadyStartNs } = finished.generator.times;
      const steadyMs = (finished.atNs - steadyStartNs) / 1e6;
      assert.ok(Math.abs(snapshot.steadyMs - steadyMs) < 1, `${snapshot.steadyMs} ${steadyMs}`);
    } else {
      assert.deepEqual([steady.due, snapshot.steadyMs], [0, 0]);
    }
  }, 20_000);
}
