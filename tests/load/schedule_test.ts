import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import { Random } from "../../lib/load/random.ts";
import {
  constantSchedule,
  endRatePerSecond,
  Schedule,
  type ScheduleSegment,
} from "../../lib/load/schedule.ts";
import { parseSchedule, parseStages } from "../../lib/load/schedule_text.ts";

const s = 1e9;

function segment(seconds: number, rate: number, slope = 0): ScheduleSegment {
  return { durationNs: seconds * s, startRatePerSecond: rate, slopePerSecond2: slope };
}

/** What a usage error says; anything else is thrown on. */
function complaint(parse: () => unknown): string {
  try {
    parse();
  } catch (thrown) {
    if (thrown instanceof UsageError) return thrown.message;
    throw thrown;
  }
  assert.fail("no error");
}

test("rateAt() is level, rises, falls, and is 0 outside", () => {
  const schedule = new Schedule([segment(10, 100), segment(10, 100, 5), segment(10, 150, -10)]);
  const rates = [-1, 0, 9.999, 10, 12, 20, 25, 29, 30, 1e6].map((at) => schedule.rateAt(at * s));
  assert.deepEqual(rates, [0, 100, 100, 100, 110, 150, 100, 60, 0, 0]);
  assert.equal(schedule.durationNs, 30 * s);
  assert.equal(schedule.peakRatePerSecond, 150);
});

test("rateAt() stops falling at 0", () => {
  const schedule = new Schedule([segment(10, 100, -20), segment(5, 7)]);
  assert.deepEqual([4, 5, 7, 9.9, 10].map((at) => schedule.rateAt(at * s)), [20, 0, 0, 0, 7]);
  assert.equal(schedule.expectedCount(0, 10 * s), 250);
  assert.equal(schedule.expectedCount(0, 15 * s), 285);
});

test("expectedCount() is the integral of the rate, whatever the bounds", () => {
  const schedule = new Schedule([
    segment(3, 100),
    segment(4, 100, 25),
    segment(1, 0),
    segment(6, 200, -50),
    segment(Infinity, 10, 3),
  ]);
  const random = new Random(1);
  for (let i = 0; i < 200; i++) {
    const fromNs = random.uniform() * 20 * s;
    const toNs = fromNs + random.uniform() * 10 * s;
    // Simpson's rule on slices that the borders do not split is exact; elsewhere nearly so.
    const slices = 20_000;
    const width = (toNs - fromNs) / slices;
    let sum = 0;
    for (let k = 0; k < slices; k++) {
      sum += schedule.rateAt(fromNs + (k + 0.5) * width);
    }
    const integral = sum * (width / s);
    const found = schedule.expectedCount(fromNs, toNs);
    assert.ok(Math.abs(found - integral) < 0.5, `${found} against ${integral}`);
  }
  assert.equal(schedule.expectedCount(5 * s, 5 * s), 0);
  assert.equal(schedule.expectedCount(6 * s, 5 * s), 0);
});

test("expectedCount() is whole where the plan is", () => {
  assert.equal(constantSchedule(10, 0.3 * s).expectedCount(0, Infinity), 3);
  assert.equal(constantSchedule(0.1, 30 * s).expectedCount(0, Infinity), 3);
  const parts = new Schedule(Array.from({ length: 1000 }, () => segment(0.1, 330)));
  assert.equal(parts.expectedCount(0, Infinity), 33_000);
});

test("constantSchedule() goes on for ever, or for its duration", () => {
  const forever = constantSchedule(50);
  assert.equal(forever.durationNs, Infinity);
  assert.equal(forever.rateAt(1e18), 50);
  assert.equal(forever.expectedCount(0, 1e17), 5e9);
  assert.equal(forever.expectedCount(0, Infinity), Infinity);
  const bounded = constantSchedule(50, 2 * s);
  assert.equal(bounded.expectedCount(0, Infinity), 100);
  assert.equal(constantSchedule(0).expectedCount(0, Infinity), 0);
});

test("Schedule leaves out what lasts no time", () => {
  const schedule = new Schedule([segment(0, 1e6), segment(1, 10), segment(0, 0, -5)]);
  assert.equal(schedule.expectedCount(0, Infinity), 10);
  assert.equal(schedule.peakRatePerSecond, 10);
  assert.equal(new Schedule([]).durationNs, 0);
  assert.equal(new Schedule([]).rateAt(0), 0);
});

test("Schedule refuses what cannot be", () => {
  const bad: [ScheduleSegment[], RegExp][] = [
    [[segment(Infinity, 1), segment(1, 1)], /segment 1 .*never ends/],
    [[segment(-1, 1)], /lasts -1000000000 ns/],
    [[segment(NaN, 1)], /lasts NaN/],
    [[segment(1, 1), segment(1, -1)], /segment 2 .*-1\/s/],
    [[segment(1, Infinity)], /Infinity\/s/],
    [[segment(1, 1, NaN)], /slope of NaN/],
  ];
  for (const [segments, expected] of bad) {
    assert.match(complaint(() => new Schedule(segments)), expected);
  }
});

test("endRatePerSecond() is where a following slope begins", () => {
  assert.equal(endRatePerSecond(segment(4, 10, 2.5)), 20);
  assert.equal(endRatePerSecond(segment(4, 10, -5)), 0);
  assert.equal(endRatePerSecond(segment(Infinity, 10)), 10);
});

test("parseStages() reads levels and slopes", () => {
  assert.deepEqual(parseStages("10s:1000, 30s:5000, 10s:+200/s").segments, [
    segment(10, 1000),
    segment(30, 5000),
    segment(10, 5000, 200),
  ]);
  assert.deepEqual(parseStages("10s:+1k/s,10s:-2k/s,  1m30s:0").segments, [
    segment(10, 0, 1000),
    segment(10, 10_000, -2000),
    segment(90, 0),
  ]);
  assert.deepEqual(parseStages("500ms : 1.5/s , 10s:+0/s").segments, [
    segment(0.5, 1.5),
    segment(10, 1.5, 0),
  ]);
});

test("parseStages() continues at 0 after a slope that reached it", () => {
  const schedule = parseStages("10s:100,100s:-10/s,10s:+10/s");
  assert.equal(schedule.rateAt(105 * s), 0);
  assert.equal(schedule.rateAt(115 * s), 50);
});

test("parseStages() points at the part that is wrong", () => {
  const wrong: Record<string, RegExp> = {
    "": /^stage 1, "": a duration, a colon and a rate were expected/,
    "10s:1000,": /^stage 2, "": /,
    "10s:1000, 30x:5000": /^stage 2, "30x:5000": "30x" is not a duration/,
    "10:1000": /^stage 1, "10:1000": "10" has no unit; write 10s/,
    "10s:1000, 30s:fast": /^stage 2, "30s:fast": "fast" is not a rate/,
    "10s:": /the rate is missing/,
    ":10": /the duration is missing/,
    "10s 1000": /a colon/,
    "10s:+200": /"\+200" has a sign.*write \+200\/s for a slope, or 200 for a level/,
    "10s:--200/s": /not a rate/,
    "10s:1e99": /not a rate/,
    "10s:NaN": /not a rate/,
    "20d:+1G/s": /the rate rises to/,
    "99999999s:10": /longer than/,
  };
  for (const [text, expected] of Object.entries(wrong)) {
    assert.match(complaint(() => parseStages(text)), expected);
  }
});

test("parseSchedule() reads levels as tcpscaler does", () => {
  const expected = [segment(10, 1000), segment(0, 7), segment(2.5, 0)];
  for (
    const text of [
      "3\n10000 1000\n0 7\n2500 0\n",
      "3\n10000 1000\n0 7\n2500 0",
      "3\r\n10000 1000\r\n0 7\r\n2500 0\r\n",
      "\n  3 \n\n10000\t1000\n   0   7\n\n2500 0\n\n",
    ]
  ) assert.deepEqual(parseSchedule(text, "level").segments, expected);
});

test("parseSchedule() reads slopes as tcpscaler does, from a start rate", () => {
  const text = "3\n10000 100\n5000 -200\n10000 0\n";
  assert.deepEqual(parseSchedule(text, "slope").segments, [
    segment(10, 0, 100),
    segment(5, 1000, -200),
    segment(10, 0, 0),
  ]);
  assert.deepEqual(parseSchedule("1\n2000 +50", "slope", 300).segments, [segment(2, 300, 50)]);
});

test("parseSchedule() names the line that is wrong", () => {
  const wrong: [string, "level" | "slope", RegExp][] = [
    ["", "level", /empty/],
    [" \n\n", "level", /empty/],
    ["x\n1 2", "level", /^line 1 of the schedule, "x": the first line is the number/],
    ["0\n", "level", /at least 1/],
    ["-1\n1 2\n", "level", /at least 1/],
    ["10 20\n1 2\n", "level", /the first line is the number/],
    ["2\n1000 50\n", "level", /announces 2 lines and ends after 1/],
    ["1\n1000 50\n1000 60\n", "level", /^line 3 .*announces 1/],
    ["1\n\n1000\n", "level", /^line 3 .*"1000": two numbers were expected, <duration_ms> <rate>/],
    ["1\n1000 5 6\n", "slope", /two numbers were expected, <duration_ms> <slope>/],
    ["1\n# 1000 5\n", "level", /^line 2 /],
    ["1\n10s 5\n", "level", /"10s" is not a duration in milliseconds/],
    ["1\n-1000 5\n", "level", /"-1000" is not a duration in milliseconds/],
    ["1\n99999999999 5\n", "level", /not a duration/],
    ["1\n1000 -5\n", "level", /below 0; slopes need --schedule-format slope/],
    ["1\n1000 5k\n", "level", /"5k" is not a rate/],
    ["1\n1000 x\n", "slope", /"x" is not a slope/],
    ["1\n1000 9999999999\n", "slope", /is not a slope/],
    ["1\n1000000 1000000000\n", "slope", /^line 2 .*the rate rises to/],
  ];
  for (const [text, format, expected] of wrong) {
    assert.match(complaint(() => parseSchedule(text, format)), expected);
  }
});

test("parseSchedule() and parseStages() end random and truncated text with a usage error", () => {
  const random = new Random(99);
  const alphabet = "0123456789 \n\r\t.+-:,/sme\0\u00e9\u{1f600}";
  const parsers = [
    (text: string) => parseSchedule(text, "level"),
    (text: string) => parseSchedule(text, "slope"),
    parseStages,
  ];
  const whole = ["3\n10000 1000\n0 7\n2500 0\n", "10s:1000, 30s:5000, 10s:+200/s"];
  const texts = whole.flatMap((text) => Array.from(text, (_, end) => text.slice(0, end)));
  for (let i = 0; i < 5000; i++) {
    const symbols = Array.from({ length: random.below(30) }, () => {
      return alphabet[random.below(alphabet.length)]!;
    });
    texts.push(symbols.join(""), `2\n${symbols.join("")}`);
  }
  for (const text of texts) {
    for (const parse of parsers) {
      try {
        const schedule = parse(text);
        assert.ok(schedule.durationNs >= 0 && schedule.expectedCount(0, Infinity) >= 0);
      } catch (thrown) {
        assert.ok(thrown instanceof UsageError, `${JSON.stringify(text)}: ${thrown}`);
        assert.ok(!thrown.message.includes("\n"));
      }
    }
  }
});
