import { test } from "bun:test";
import assert from "node:assert/strict";
import { loadSettings } from "../../lib/client/load_plan.ts";
import { clientRows, type ClientSettings } from "../../lib/client/options.ts";
import { UsageError } from "../../lib/errors.ts";
import type { Load, LoadSettings } from "../../lib/load/load_settings.ts";
import type { Schedule } from "../../lib/load/schedule.ts";
import { defaultSettings } from "../../lib/options/command_line.ts";

function planOf(changes: Partial<ClientSettings>, scheduleText?: string): LoadSettings {
  return loadSettings({ ...defaultSettings(clientRows), ...changes }, scheduleText);
}

/** The schedule of an open loop over all connections. */
function scheduleOf({ load }: LoadSettings): Schedule {
  assert.ok(load.kind === "poisson" || load.kind === "uniform", load.kind);
  return load.schedule;
}

/** Rates at times in seconds from the start of the plan, warm-up included. */
function ratesAt(plan: LoadSettings, seconds: readonly number[]): number[] {
  const schedule = scheduleOf(plan);
  return seconds.map((second) => schedule.rateAt(second * 1e9));
}

function rejects(changes: Partial<ClientSettings>, scheduleText: string | undefined, why: RegExp) {
  assert.throws(() => planOf(changes, scheduleText), (error) => {
    assert.ok(error instanceof UsageError, String(error));
    assert.match(error.message, why);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

test("loadSettings() of the defaults holds one connection for ten seconds", () => {
  assert.deepEqual(planOf({}), {
    connections: 1,
    connectsPerSecond: 1000,
    connectTimeoutMs: 5000,
    load: { kind: "none" },
    seed: 42,
    warmupMs: 0,
    durationMs: 10_000,
    replyTimeoutMs: 5000,
    drainMs: 5000,
    verify: false,
  });
});

test("loadSettings() hands every setting of the run on", () => {
  const plan = planOf({
    connections: 7,
    connectRatePerSecond: 20,
    connectTimeoutMs: 30,
    seed: 0,
    warmupMs: 40,
    durationMs: 50,
    timeoutMs: 60,
    drainMs: 70,
    verify: true,
    inflight: 3,
  });
  assert.deepEqual(plan, {
    connections: 7,
    connectsPerSecond: 20,
    connectTimeoutMs: 30,
    load: { kind: "inflight", outstanding: 3 },
    seed: 0,
    warmupMs: 40,
    durationMs: 50,
    replyTimeoutMs: 60,
    drainMs: 70,
    verify: true,
  });
});

test("loadSettings() awaits the last answers as long as others, unless told", () => {
  assert.equal(planOf({ timeoutMs: 1234 }).drainMs, 1234);
  // 0 is a time, not the absence of one.
  assert.equal(planOf({ timeoutMs: 1234, drainMs: 0 }).drainMs, 0);
});

test("loadSettings() makes a level schedule without end of a rate", () => {
  for (const arrivals of ["poisson", "uniform"] as const) {
    const plan = planOf({ ratePerSecond: 250, arrivals, durationMs: 3000, warmupMs: 500 });
    assert.equal(plan.load.kind, arrivals);
    assert.deepEqual(ratesAt(plan, [0, 0.4, 2, 1e6]), [250, 250, 250, 250]);
    assert.equal(plan.durationMs, 3000);
  }
});

test("loadSettings() tells the loads apart that are no rate", () => {
  const loads: [Partial<ClientSettings>, Load][] = [
    [{}, { kind: "none" }],
    [{ intervalMs: 500 }, { kind: "interval", intervalMs: 500 }],
    [{ inflight: 12 }, { kind: "inflight", outstanding: 12 }],
  ];
  for (const [changes, load] of loads) assert.deepEqual(planOf(changes).load, load);
});

test("loadSettings() reads stages, whose length is that of the run", () => {
  const plan = planOf({ stages: "2s:100, 1s:0, 2s:+200/s, 1s:-100/s" });
  assert.equal(plan.durationMs, 6000);
  assert.equal(plan.load.kind, "poisson");
  assert.deepEqual(ratesAt(plan, [0, 1.9, 2.5, 3, 4, 5, 5.5, 6]), [
    ...[100, 100, 0, 0, 200, 400, 350, 0],
  ]);
  assert.equal(scheduleOf(plan).expectedCount(0, Infinity), 200 + 400 + 350);
  assert.equal(planOf({ stages: "1s:5", arrivals: "uniform" }).load.kind, "uniform");
});

test("loadSettings() puts a warm-up at the first rate before stages", () => {
  const plan = planOf({ stages: "2s:100, 1s:50", warmupMs: 500 });
  // The measured phase keeps its length; the plan has the warm-up in front.
  assert.deepEqual([plan.warmupMs, plan.durationMs], [500, 3000]);
  assert.deepEqual(ratesAt(plan, [0, 0.4, 0.5, 2.4, 2.5, 3.4, 3.5]), [
    100,
    100,
    100,
    100,
    50,
    50,
    0,
  ]);
  assert.equal(scheduleOf(plan).durationNs, 3.5e9);
  assert.equal(scheduleOf(plan).expectedCount(0.5e9, 3.5e9), 250);

  const rising = planOf({ stages: "1s:+100/s", warmupMs: 500 });
  assert.deepEqual(ratesAt(rising, [0, 0.4, 0.5, 1]), [0, 0, 0, 50]);
});

test("loadSettings() reads a schedule of levels", () => {
  const text = "3\n1000 200\n500 0\n1500 80\n";
  const plan = planOf({ scheduleFile: "levels" }, text);
  assert.equal(plan.durationMs, 3000);
  assert.deepEqual(ratesAt(plan, [0, 0.9, 1.2, 1.5, 2.9, 3]), [200, 200, 0, 80, 80, 0]);
});

test("loadSettings() starts a schedule of slopes from the rate", () => {
  const text = "2\n1000 100\n2000 -50\n";
  const settings = { scheduleFile: "slopes", scheduleFormat: "slope" } as const;
  assert.deepEqual(ratesAt(planOf(settings, text), [0, 0.5, 1, 2, 2.9]), [0, 50, 100, 50, 5]);
  const plan = planOf({ ...settings, ratePerSecond: 300, warmupMs: 1000 }, text);
  assert.deepEqual(ratesAt(plan, [0, 0.9, 1, 1.5, 2, 3, 4]), [300, 300, 300, 350, 400, 350, 0]);
  assert.equal(plan.durationMs, 3000);
});

test("loadSettings() reads an empty schedule as one, not as none", () => {
  rejects({ scheduleFile: "empty" }, "", /schedule is empty/);
});

test("loadSettings() says what is wrong with a plan", () => {
  const file = { scheduleFile: "file" };
  rejects({ ...file, ratePerSecond: 5 }, "1\n1000 5\n", /--rate .* --schedule of levels/);
  rejects({ stages: "0s:5" }, undefined, /lasts 0 s/);
  rejects(file, "1\n0 5\n", /lasts 0 s/);
  rejects({ stages: "1s:5, 1s" }, undefined, /^stage 2, "1s": /);
  rejects({ stages: "" }, undefined, /^stage 1, "": /);
  rejects(file, "2\n1000 5\n", /announces 2 lines and ends after 1/);
  rejects(file, "1\n1000 5 5\n", /^line 2 of the schedule, "1000 5 5": /);
  rejects(file, "1\n1000 -5\n", /--schedule-format slope/);
  rejects({ inflight: 70_000, codec: "dns" }, undefined, /^--inflight 70000 .* at most \d+/);
});

test("loadSettings() lets an echo load have more in flight than DNS ids can tell apart", () => {
  assert.deepEqual(planOf({ inflight: 70_000 }).load, { kind: "inflight", outstanding: 70_000 });
});
