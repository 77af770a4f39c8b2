import { messageOf, UsageError } from "../errors.ts";
import { duration, maxDurationMs } from "../options/duration.ts";
import { quote } from "../options/kind.ts";
import { rate } from "../options/quantity.ts";
import { endRatePerSecond, Schedule, type ScheduleSegment } from "./schedule.ts";

export type ScheduleFormat = "level" | "slope";

const maxRatePerSecond = 1e9;

/**
 * Stages on the command line: `10s:1000, 30s:5000, 10s:+200/s`. Each is a duration and either a
 * level (messages per second, 0 for a pause) or, with a sign, a slope: by how much the rate changes
 * each second, from the rate at which the stage before it ended. A slope that comes first starts
 * from 0.
 *
 * @throws {UsageError} names the stage and the part of it that is wrong.
 */
export function parseStages(text: string): Schedule {
  const segments: ScheduleSegment[] = [];
  for (const [index, part] of text.split(",").entries()) {
    const stage = part.trim();
    try {
      segments.push(parseStage(stage, segments.at(-1)));
    } catch (thrown) {
      if (!(thrown instanceof UsageError)) throw thrown;
      throw new UsageError(`stage ${index + 1}, ${quote(stage)}: ${messageOf(thrown)}`, {
        cause: thrown,
      });
    }
  }
  return new Schedule(segments);
}

function parseStage(stage: string, previous: ScheduleSegment | undefined): ScheduleSegment {
  const colon = stage.indexOf(":");
  if (colon < 0) {
    throw new UsageError("a duration, a colon and a rate were expected, such as 10s:1000");
  }
  const durationText = stage.slice(0, colon).trim();
  const rateText = stage.slice(colon + 1).trim();
  if (durationText === "") throw new UsageError("the duration is missing; write it as 10s:1000");
  if (rateText === "") throw new UsageError("the rate is missing; write it as 10s:1000");
  const durationNs = Math.round(duration.parse(durationText) * 1e6);
  if (!/^[+-]/.test(rateText)) {
    return { durationNs, startRatePerSecond: parseRate(rateText), slopePerSecond2: 0 };
  }
  if (!rateText.endsWith("/s")) {
    throw new UsageError(
      `${quote(rateText)} has a sign, as slopes have, but no unit; write ${rateText}/s for a ` +
        `slope, or ${rateText.slice(1)} for a level`,
    );
  }
  const size = parseRate(rateText.slice(1));
  const slopePerSecond2 = rateText.startsWith("-") && size > 0 ? -size : size;
  return follow(previous, durationNs, slopePerSecond2, 0);
}

/** A rate as everywhere in the options, or 0. */
function parseRate(text: string): number {
  return /^0+(\.0*)?(\/s)?$/.test(text) ? 0 : rate.parse(text);
}

function follow(
  previous: ScheduleSegment | undefined,
  durationNs: number,
  slopePerSecond2: number,
  firstRatePerSecond: number,
): ScheduleSegment {
  const startRatePerSecond = previous === undefined
    ? firstRatePerSecond
    : endRatePerSecond(previous);
  const segment = { durationNs, startRatePerSecond, slopePerSecond2 };
  const endRate = endRatePerSecond(segment);
  if (endRate > maxRatePerSecond) {
    throw new UsageError(`the rate rises to ${endRate}/s; ${maxRatePerSecond}/s is the limit`);
  }
  return segment;
}

/**
 * The two formats that tcpscaler reads from its standard input (`read_commands` and
 * `read_rateslope_commands` in its common.h): the first line is the number of lines that follow,
 * each of them `<duration_ms> <rate>` (`level`) or `<duration_ms> <slope>` (`slope`, messages per
 * second each second). Rates stop falling at 0. As there, blank lines and spaces do not matter and
 * there are no comments. Otherwise than there, fractions are read, and what follows the last line
 * is an error instead of being ignored.
 *
 * @param startRatePerSecond where the first slope starts: tcpscaler's `-r`.
 * @throws {UsageError} names the line and what is wrong with it.
 */
export function parseSchedule(
  text: string,
  format: ScheduleFormat,
  startRatePerSecond = 0,
): Schedule {
  let announced = -1;
  const segments: ScheduleSegment[] = [];
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    const words = line.trim().split(/\s+/);
    if (words[0] === "") continue;
    try {
      if (announced < 0) {
        announced = parseLineCount(words);
      } else {
        if (segments.length === announced) {
          throw new UsageError(`the first line announces ${announced}, and this is one more`);
        }
        segments.push(parseLine(words, format, segments.at(-1), startRatePerSecond));
      }
    } catch (thrown) {
      if (!(thrown instanceof UsageError)) throw thrown;
      const shown = quote(line.trim().slice(0, 60));
      throw new UsageError(`line ${index + 1} of the schedule, ${shown}: ${messageOf(thrown)}`, {
        cause: thrown,
      });
    }
  }
  if (announced < 0) {
    throw new UsageError("the schedule is empty; its first line is the number of lines to follow");
  }
  if (segments.length < announced) {
    throw new UsageError(
      `the schedule announces ${announced} lines and ends after ${segments.length}`,
    );
  }
  return new Schedule(segments);
}

function parseLineCount(words: readonly string[]): number {
  const count = words.length === 1 && /^\d+$/.test(words[0]!) ? Number(words[0]) : NaN;
  if (!(count >= 1 && Number.isSafeInteger(count))) {
    throw new UsageError("the first line is the number of lines to follow, at least 1");
  }
  return count;
}

function parseLine(
  words: readonly string[],
  format: ScheduleFormat,
  previous: ScheduleSegment | undefined,
  startRatePerSecond: number,
): ScheduleSegment {
  const [durationText = "", valueText = ""] = words;
  if (words.length !== 2) {
    throw new UsageError(`two numbers were expected, <duration_ms> <${valueName(format)}>`);
  }
  const durationMs = /^\d+(\.\d+)?$/.test(durationText) ? Number(durationText) : NaN;
  if (!(durationMs <= maxDurationMs)) {
    throw new UsageError(
      `${quote(durationText)} is not a duration in milliseconds, from 0 to ${maxDurationMs}`,
    );
  }
  const durationNs = Math.round(durationMs * 1e6);
  const value = /^[+-]?\d+(\.\d+)?$/.test(valueText) ? Number(valueText) : NaN;
  if (format === "slope") {
    if (!(Math.abs(value) <= maxRatePerSecond)) {
      throw new UsageError(`${quote(valueText)} is not a slope, messages per second each second`);
    }
    return follow(previous, durationNs, value, startRatePerSecond);
  }
  if (value < 0) {
    throw new UsageError(`${quote(valueText)} is below 0; slopes need --schedule-format slope`);
  }
  if (!(value <= maxRatePerSecond)) {
    throw new UsageError(
      `${quote(valueText)} is not a rate, messages per second up to ${maxRatePerSecond}`,
    );
  }
  return { durationNs, startRatePerSecond: value, slopePerSecond2: 0 };
}

function valueName(format: ScheduleFormat): string {
  return format === "level" ? "rate" : "slope";
}
