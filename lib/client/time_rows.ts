import { duration, positiveDuration } from "../options/duration.ts";
import { instant } from "../options/instant.ts";
import { row } from "../options/row.ts";
import { flag } from "../options/text.ts";
import { messages } from "./option_sets.ts";

/** Options of `holdfast client`: how long the phases of a run are. */
export const timeRows = {
  durationMs: row({
    name: "duration",
    short: "t",
    kind: positiveDuration,
    default: 10_000,
    category: "Time",
    summary: "length of the measured phase",
    conflicts: ["stages", "scheduleFile"],
  }),
  warmupMs: row({
    name: "warmup",
    kind: duration,
    default: 0,
    category: "Time",
    summary: "send for this long before the measured phase",
    requires: messages,
  }),
  barrier: row({
    name: "barrier",
    kind: flag,
    default: true,
    category: "Time",
    summary: "measure once all connections are open; --no-barrier: from the start",
  }),
  startAt: row({
    name: "start-at",
    kind: instant,
    category: "Time",
    summary: "wait for this instant, on several hosts the same: ISO 8601, 12:00 or epoch",
    otherwise: "at once",
  }),
  timeoutMs: row({
    name: "timeout",
    kind: positiveDuration,
    default: 5000,
    category: "Time",
    summary: "a message without an answer after this long is lost",
    requires: messages,
  }),
  drainMs: row({
    name: "drain",
    kind: duration,
    category: "Time",
    summary: "wait this long for the last answers",
    otherwise: "as --timeout",
    requires: messages,
  }),
};
