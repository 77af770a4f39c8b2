import { defaultBreakConditions } from "../stats/break_condition.ts";
import { httpUrl } from "../options/http_url.ts";
import { row } from "../options/row.ts";
import { step } from "../options/step.ts";
import { text } from "../options/text.ts";
import { otherLoads, ramp } from "./option_sets.ts";

/** Options of `holdfast client`: opening connections until something breaks. */
export const rampRows = {
  step: row({
    name: "step",
    kind: step,
    category: "Ramp until it breaks",
    summary: "open so many, hold them for d, open the next; as in 500/10s",
    otherwise: "connections open evenly",
    conflicts: otherLoads,
  }),
  breakConditions: row({
    name: "break-when",
    kind: text,
    placeholder: "condition",
    repeatable: true,
    category: "Ramp until it breaks",
    summary: "broken: this for 3 s running, as in 'response.p99>1s'; may be repeated",
    otherwise: defaultBreakConditions.join(", "),
    conflicts: otherLoads,
  }),
  serverStatsUrl: row({
    name: "server-stats",
    kind: httpUrl,
    category: "Ramp until it breaks",
    summary: "where the holdfast server at the target serves its statistics",
    requires: ramp,
  }),
};
