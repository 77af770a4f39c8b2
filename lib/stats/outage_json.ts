import * as read from "./json_fields.ts";
import type { Outage, OutageReport, ServerSpread } from "./outage.ts";

/** @throws {FileError} a field is missing or wrong. */
export function readOutages(object: read.Fields): OutageReport {
  return {
    total: read.number(object, "total"),
    list: read.list(object, "list").map(readOutage),
  };
}

function readOutage(outage: read.Fields): Outage {
  return {
    ...read.numbers(outage, [
      "beganMs",
      "connections",
      "down",
      "lostAgain",
      "failedAttempts",
      "back50Ms",
      "back99Ms",
      "backAllMs",
      "longestGapMs",
      "lost",
      "unsent",
      "duplicated",
      "late",
    ]),
    before: readSpread(outage, "before"),
    after: readSpread(outage, "after"),
    isOver: read.boolean(outage, "isOver"),
  };
}

/** @throws {FileError} a field is missing or wrong. */
export function readSpread(fields: read.Fields, key: string): ServerSpread {
  return read.record(fields, key, read.number);
}
