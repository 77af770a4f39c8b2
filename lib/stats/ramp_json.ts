import * as read from "./json_fields.ts";
import { type Knee, limitSides, type RampLimit, type RampReport } from "./ramp.ts";

/** @throws {FileError} a field is missing or wrong. */
export function readRamp(object: read.Fields): RampReport {
  return {
    conditions: read.texts(object, "conditions"),
    rows: read.list(object, "rows").map((row) =>
      read.numbers(row, [
        "fromMs",
        "untilMs",
        "connections",
        "failed",
        "closed",
        "sent",
        "answered",
        "lost",
        "meanNs",
        "minNs",
        "maxNs",
        "p99Ns",
      ])
    ),
    knee: object["knee"] === undefined ? undefined : readKnee(read.object(object, "knee")),
    limit: object["limit"] === undefined ? undefined : readLimit(read.object(object, "limit")),
  };
}

function readKnee(object: read.Fields): Knee {
  return {
    atMs: read.number(object, "atMs"),
    connections: read.number(object, "connections"),
    broken: read.list(object, "broken").map((bound) => ({
      condition: read.text(bound, "condition"),
      measured: read.text(bound, "measured"),
    })),
    affected: read.choice(object, "affected", ["new", "existing", "both"]),
  };
}

function readLimit(object: read.Fields): RampLimit {
  return {
    side: read.choice(object, "side", limitSides),
    name: read.text(object, "name"),
    statement: read.text(object, "statement"),
    evidence: read.texts(object, "evidence"),
  };
}
