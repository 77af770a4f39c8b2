import { UsageError } from "../errors.ts";
import { mostOpenOf16Bits } from "../load/ledger.ts";
import type { Load, LoadSettings, Upkeep } from "../load/load_settings.ts";
import { constantSchedule, Schedule, type ScheduleSegment } from "../load/schedule.ts";
import { parseSchedule, parseStages } from "../load/schedule_text.ts";
import { breakConditions, overdueBoundsMs } from "../stats/break_condition.ts";
import type { ClientSettings } from "./options.ts";
import { isRamp } from "./ramp_settings.ts";

/**
 * What the options ask the load generator to do.
 *
 * @param scheduleText content of the `--schedule` file, where there is one.
 * @throws {UsageError} the stages or the schedule cannot be read.
 */
export function loadSettings(
  settings: ClientSettings,
  scheduleText: string | undefined,
): LoadSettings {
  const planned = plannedSchedule(settings, scheduleText);
  return {
    connections: settings.connections,
    connectsPerSecond: settings.connectRatePerSecond,
    connectTimeoutMs: settings.connectTimeoutMs,
    load: loadOf(settings, planned),
    seed: settings.seed,
    warmupMs: settings.warmupMs,
    durationMs: planned === undefined ? settings.durationMs : planned.durationNs / 1e6,
    replyTimeoutMs: settings.timeoutMs,
    drainMs: settings.drainMs ?? settings.timeoutMs,
    verify: settings.verify,
    ...(settings.barrier ? {} : { measuresRamp: true }),
    ...upkeepOf(settings),
    ...rampPlan(settings),
  };
}

function upkeepOf({ identify, reconnect, recyclePerSecond }: ClientSettings): Upkeep {
  return {
    ...(identify ? { identify } : {}),
    ...(reconnect === undefined ? {} : { reconnect }),
    ...(recyclePerSecond === undefined ? {} : { recyclePerSecond }),
  };
}

function rampPlan(settings: ClientSettings): Pick<LoadSettings, "ramp"> {
  if (!isRamp(settings)) return {};
  const { step } = settings;
  return {
    ramp: {
      overdueAfterMs: overdueBoundsMs(breakConditions(settings.breakConditions)),
      ...(step === undefined ? {} : { step }),
    },
  };
}

/** The rate over time, where stages or a file give one. */
function plannedSchedule(
  settings: ClientSettings,
  scheduleText: string | undefined,
): Schedule | undefined {
  const { stages, scheduleFormat, ratePerSecond } = settings;
  if (scheduleText !== undefined && ratePerSecond !== undefined && scheduleFormat === "level") {
    throw new UsageError(
      "--rate cannot be combined with a --schedule of levels, which says every rate itself; " +
        "it is the rate that a schedule of slopes (--schedule-format slope) starts from",
    );
  }
  const schedule = stages !== undefined
    ? parseStages(stages)
    : scheduleText !== undefined
    ? parseSchedule(scheduleText, scheduleFormat, ratePerSecond)
    : undefined;
  if (schedule !== undefined && !(schedule.durationNs > 0)) {
    throw new UsageError("the schedule lasts 0 s; give at least one stage a duration");
  }
  return schedule;
}

function loadOf(settings: ClientSettings, planned: Schedule | undefined): Load {
  if (settings.intervalMs !== undefined) {
    const { intervalMs } = settings;
    return { kind: "interval", intervalMs, ...(isRamp(settings) ? { isGrowing: true } : {}) };
  }
  if (settings.inflight !== undefined) {
    if (settings.codec === "dns" && settings.inflight > mostOpenOf16Bits) {
      throw new UsageError(
        `--inflight ${settings.inflight} is more than DNS can tell apart: its ids have 16 bits; ` +
          `ask for at most ${mostOpenOf16Bits} on each connection`,
      );
    }
    return { kind: "inflight", outstanding: settings.inflight };
  }
  const kind = settings.arrivals;
  if (planned !== undefined) {
    return { kind, schedule: withWarmup(planned, settings.warmupMs) };
  }
  if (settings.ratePerSecond !== undefined) {
    return { kind, schedule: constantSchedule(settings.ratePerSecond) };
  }
  return { kind: "none" };
}

/** The warm-up sends at the rate with which the schedule starts. */
function withWarmup(schedule: Schedule, warmupMs: number): Schedule {
  if (warmupMs === 0) return schedule;
  const warmup: ScheduleSegment = {
    durationNs: warmupMs * 1e6,
    startRatePerSecond: schedule.rateAt(0),
    slopePerSecond2: 0,
  };
  return new Schedule([warmup, ...schedule.segments]);
}
