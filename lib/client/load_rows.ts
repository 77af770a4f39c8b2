import { positiveDuration } from "../options/duration.ts";
import { count, rate, seed } from "../options/quantity.ts";
import { row } from "../options/row.ts";
import { choice, fileOrStream, text } from "../options/text.ts";
import { openLoop } from "./option_sets.ts";

/** Options of `holdfast client`: when messages are due. */
export const loadRows = {
  ratePerSecond: row({
    name: "rate",
    short: "r",
    kind: rate,
    category: "Load",
    summary: "messages per second over all connections, whatever the answers do",
    conflicts: ["intervalMs", "inflight", "stages", "connections=max"],
  }),
  intervalMs: row({
    name: "interval",
    kind: positiveDuration,
    category: "Load",
    summary: "each connection sends a message this often",
    conflicts: ["inflight", "stages", "scheduleFile"],
  }),
  inflight: row({
    name: "inflight",
    kind: count,
    category: "Load",
    summary: "closed loop: each connection always awaits this many answers",
    conflicts: ["stages", "scheduleFile", "connections=max"],
  }),
  stages: row({
    name: "stages",
    kind: text,
    placeholder: "list",
    category: "Load",
    summary: "rate over time: levels and slopes, as in '10s:1000, 10s:+200/s'",
    conflicts: ["scheduleFile", "connections=max"],
  }),
  scheduleFile: row({
    name: "schedule",
    kind: fileOrStream,
    category: "Load",
    summary: "rate over time from a file: a line count, then '<ms> <rate>' lines",
    conflicts: ["connections=max"],
  }),
  scheduleFormat: row({
    name: "schedule-format",
    kind: choice("level", "slope"),
    default: "level",
    category: "Load",
    summary: "what the second column is: a rate, or a slope, which starts from --rate",
    requires: ["scheduleFile"],
  }),
  arrivals: row({
    name: "arrivals",
    kind: choice("poisson", "uniform"),
    default: "poisson",
    category: "Load",
    summary: "gaps between messages: random and memoryless, or all the same",
    requires: openLoop,
  }),
  seed: row({
    name: "seed",
    kind: seed,
    default: 42,
    category: "Load",
    summary: "start of the random sequence; the same seed gives the same plan",
    requires: [...openLoop, "reconnect"],
    conflicts: ["arrivals=uniform"],
  }),
};
