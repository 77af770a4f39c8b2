import { test } from "bun:test";
import assert from "node:assert/strict";
import { Arrivals, type ArrivalsKind } from "../../lib/load/arrivals.ts";
import { Random } from "../../lib/load/random.ts";
import { constantSchedule, Schedule, type ScheduleSegment } from "../../lib/load/schedule.ts";

const s = 1e9;

function segment(seconds: number, rate: number, slope = 0): ScheduleSegment {
  return { durationNs: seconds * s, startRatePerSecond: rate, slopePerSecond2: slope };
}

function arrivals(schedule: Schedule, kind: ArrivalsKind, seed = 42): Arrivals {
  return new Arrivals(schedule, kind, new Random(seed));
}

/** All due times below `untilNs`. */
function dueTimes(plan: Arrivals, untilNs = Infinity): number[] {
  const times: number[] = [];
  for (; plan.nextNs < untilNs; plan.advance()) times.push(plan.nextNs);
  return times;
}

/** A plan with everything in it: level, rise, pause, fall to zero and beyond, step. */
const varied = new Schedule([
  segment(10, 1000),
  segment(20, 1000, 200),
  segment(5, 0),
  segment(30, 4000, -200),
  segment(0.0005, 1e6),
  segment(10, 0, 500),
]);

test("Arrivals of uniform kind: message k of a level rate is due at k / rate, the first at the start", () => {
  for (const rate of [1, 1000, 3, 7, 300_000, 0.3, 999_983]) {
    const times = dueTimes(arrivals(constantSchedule(rate, (5000 / rate) * s), "uniform"));
    assert.ok(Math.abs(times.length - 5000) <= 1, `${times.length} messages`);
    times.forEach((dueNs, k) => {
      const exact = (k / rate) * 1e9;
      assert.ok(Math.abs(dueNs - exact) <= exact * 2 ** -51, `${k} at ${rate}: ${dueNs}`);
    });
  }
});

test("Arrivals of uniform kind: gapNs is the interval before each message", () => {
  const plan = arrivals(constantSchedule(1000), "uniform");
  assert.equal(plan.gapNs, 0);
  plan.advance();
  assert.equal(plan.nextNs, 1e6);
  assert.equal(plan.gapNs, 1e6);
});

test("Arrivals of uniform kind: a plan of 10^8 s does not drift", () => {
  // Level, at a rate whose period is no whole number of ns …
  const rate = 0.07;
  const plan = arrivals(constantSchedule(rate), "uniform");
  for (let k = 0; k < rate * 1e8; k++) plan.advance();
  const k = Math.ceil(rate * 1e8);
  assert.ok(Math.abs(plan.nextNs - (k / rate) * 1e9) <= 64, `${plan.nextNs}`); // 4 ulp at 10^17
  // … and a thousand level parts, whose borders add up.
  const parts = new Schedule(Array.from({ length: 1000 }, () => segment(100_000, 0.07)));
  const times = arrivals(parts, "uniform");
  let count = 0;
  let lastNs = 0;
  for (; times.nextNs < Infinity; times.advance()) {
    lastNs = times.nextNs;
    count++;
  }
  assert.equal(count, 7_000_000);
  assert.ok(Math.abs(lastNs - (6_999_999 / rate) * 1e9) <= 1000, `${lastNs}`);
});

test("Arrivals of uniform kind: message k is due where the schedule's count is k, on slopes too", () => {
  const times = dueTimes(arrivals(varied, "uniform"));
  const total = varied.expectedCount(0, Infinity);
  assert.equal(times.length, Math.ceil(total));
  times.forEach((dueNs, k) => {
    const count = varied.expectedCount(0, dueNs);
    assert.ok(Math.abs(count - k) < 1e-6 * Math.max(1, k), `${k} is due at ${dueNs}: ${count}`);
    assert.ok(k === 0 || dueNs > times[k - 1]!, `${k} after ${k - 1}`);
  });
});

test("Arrivals of uniform kind: stage borders are exact, and a message on a border belongs to what follows", () => {
  const times = dueTimes(arrivals(new Schedule([segment(2, 100), segment(1, 1000)]), "uniform"));
  assert.equal(times.length, 1200);
  assert.equal(times[199], 1.99 * s);
  assert.equal(times[200], 2 * s);
  assert.equal(times[201], 2.001 * s);
  const pause = new Schedule([segment(5, 0), segment(1, 10), segment(3, 0), segment(1, 10)]);
  const paused = dueTimes(arrivals(pause, "uniform"));
  assert.equal(paused.length, 20);
  assert.equal(paused[0], 5 * s);
  assert.equal(paused[9], 5.9 * s);
  assert.equal(paused[10], 9 * s);
});

test("advance() leaves a plan that is over as it is", () => {
  for (const kind of ["uniform", "poisson"] as const) {
    const plan = arrivals(constantSchedule(10, s), kind);
    dueTimes(plan);
    for (let i = 0; i < 3; i++) {
      assert.equal(plan.nextNs, Infinity);
      assert.equal(plan.gapNs, Infinity);
      plan.advance();
    }
    assert.equal(arrivals(new Schedule([]), kind).nextNs, Infinity);
    assert.equal(arrivals(constantSchedule(0), kind).nextNs, Infinity);
    assert.equal(
      arrivals(new Schedule([segment(2, 10, -10), segment(9, 0)]), kind).nextNs < s,
      true,
    );
  }
});

test("Arrivals of poisson kind: the same seed gives the same plan, another seed another", () => {
  for (const schedule of [constantSchedule(1000, 10 * s), varied]) {
    const first = dueTimes(arrivals(schedule, "poisson", 7));
    assert.deepEqual(dueTimes(arrivals(schedule, "poisson", 7)), first);
    assert.notDeepEqual(dueTimes(arrivals(schedule, "poisson", 8)), first);
  }
});

test("Arrivals of poisson kind: the first times of seed 42 are pinned", () => {
  const plan = arrivals(constantSchedule(1000), "poisson");
  const expected = [
    1778433.1451870052,
    2308967.8733469755,
    2927435.1946313656,
    2943160.8313110964,
    4014501.3205790436,
  ];
  for (const dueNs of expected) {
    assert.ok(Math.abs(plan.nextNs - dueNs) < 1e-3, `${plan.nextNs} against ${dueNs}`);
    plan.advance();
  }
});

test("Arrivals of poisson kind: due times rise, and gaps add up to them", () => {
  const plan = arrivals(varied, "poisson");
  let sum = 0;
  let before = 0;
  for (; plan.nextNs < Infinity; plan.advance()) {
    assert.ok(plan.gapNs >= 0 && plan.nextNs >= before);
    sum += plan.gapNs;
    before = plan.nextNs;
    assert.ok(Math.abs(sum - plan.nextNs) < 1);
  }
});

/** Counts in equal slices of a level plan. */
function sliceCounts(rate: number, slices: number, sliceNs: number): Uint32Array {
  const counts = new Uint32Array(slices);
  const plan = arrivals(constantSchedule(rate, slices * sliceNs), "poisson");
  for (; plan.nextNs < Infinity; plan.advance()) counts[Math.floor(plan.nextNs / sliceNs)]!++;
  return counts;
}

test("Arrivals of poisson kind: counts have equal mean and variance, as a Poisson process has", () => {
  const slices = 20_000;
  const expected = 25;
  const counts = sliceCounts(2500, slices, 0.01 * s);
  const mean = counts.reduce((sum, n) => sum + n, 0) / slices;
  const variance = counts.reduce((sum, n) => sum + (n - mean) ** 2, 0) / (slices - 1);
  assert.ok(Math.abs(mean - expected) < 5 * Math.sqrt(expected / slices), `mean ${mean}`);
  // The sample variance of a Poisson variable has a standard error of about mean·√(2/n).
  assert.ok(Math.abs(variance - expected) < 5 * expected * Math.sqrt(2.1 / slices), `${variance}`);
  // Neighbours do not know of each other.
  let covariance = 0;
  for (let i = 1; i < slices; i++) covariance += (counts[i]! - mean) * (counts[i - 1]! - mean);
  assert.ok(Math.abs(covariance / slices / variance) < 5 / Math.sqrt(slices));
});

test("Arrivals of poisson kind: counts are distributed as Poisson's law says", () => {
  const slices = 50_000;
  const counts = sliceCounts(400, slices, 0.01 * s); // 4 expected in each
  const seen = new Uint32Array(12);
  for (const n of counts) seen[Math.min(11, n)]!++;
  let chi = 0;
  let probability = Math.exp(-4);
  let rest = 1;
  for (let n = 0; n < 12; n++) {
    const expected = (n === 11 ? rest : probability) * slices;
    chi += (seen[n]! - expected) ** 2 / expected;
    rest -= probability;
    probability *= 4 / (n + 1);
  }
  assert.ok(chi < 11 + 5 * Math.sqrt(22), `chi² ${chi} of 11`);
});

test("Arrivals of poisson kind: slopes hold the counts of their integral, in every part", () => {
  const runs = 40;
  const slices = 155;
  const counts = new Uint32Array(slices);
  const widthNs = varied.durationNs / slices;
  for (let seed = 0; seed < runs; seed++) {
    for (const dueNs of dueTimes(arrivals(varied, "poisson", seed))) {
      counts[Math.min(slices - 1, Math.floor(dueNs / widthNs))]!++;
    }
  }
  let chi = 0;
  let used = 0;
  for (let i = 0; i < slices; i++) {
    const expected = varied.expectedCount(i * widthNs, (i + 1) * widthNs) * runs;
    if (expected === 0) {
      assert.equal(counts[i], 0, `slice ${i}`);
      continue;
    }
    used++;
    assert.ok(Math.abs(counts[i]! - expected) < 6 * Math.sqrt(expected) + 1, `slice ${i}`);
    if (expected > 10) chi += (counts[i]! - expected) ** 2 / expected;
  }
  assert.ok(chi < used + 5 * Math.sqrt(2 * used), `chi² ${chi} of ${used}`);
});

test("Arrivals of poisson kind: nothing is due in a pause, and the plan ends with the schedule", () => {
  const times = dueTimes(arrivals(varied, "poisson"));
  assert.ok(times.every((dueNs) => dueNs < varied.durationNs));
  assert.ok(!times.some((dueNs) => dueNs > 30 * s && dueNs < 35 * s));
  assert.ok(!times.some((dueNs) => dueNs > 55.001 * s && dueNs < 65 * s));
});

/** How often a process that runs `body` fills 8 MB with new objects: JavaScriptCore's own log. */
function collections(body: string): number {
  const lib = new URL("../../lib/load/", import.meta.url).pathname;
  const code = `
    import { Arrivals } from "${lib}arrivals.ts";
    import { Random } from "${lib}random.ts";
    import { constantSchedule, Schedule } from "${lib}schedule.ts";
    ${body}
    console.log("done");`;
  const child = Bun.spawnSync([process.execPath, "-e", code], {
    env: { ...process.env, BUN_JSC_logGC: "1" },
  });
  const log = child.stdout.toString() + child.stderr.toString();
  assert.match(log, /^done$/m);
  return log.split("Requesting GC because bytes allocated").length - 1;
}

test("advance() allocates nothing", () => {
  const walk = (kind: ArrivalsKind, slope: number) =>
    collections(`
      const slope = { durationNs: Infinity, startRatePerSecond: 1e6, slopePerSecond2: ${slope} };
      const plan = new Arrivals(new Schedule([slope]), "${kind}", new Random(42));
      for (let i = 0; i < 3_000_000; i++) plan.advance();`);
  const control = collections(`
    for (let i = 0; i < 3_000_000; i++) globalThis.last = { i, before: globalThis.last?.i };`);
  assert.ok(control > 5, `the log shows allocations: ${control}`);
  assert.equal(walk("poisson", 0), 0);
  assert.equal(walk("uniform", 0), 0);
  assert.equal(walk("poisson", 1), 0);
}, 60_000);
