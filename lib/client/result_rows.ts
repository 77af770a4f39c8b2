import { positiveDuration } from "../options/duration.ts";
import { labelsRow, statsAddressRow } from "../options/result_rows.ts";
import { row } from "../options/row.ts";
import { file, fileOrStream, flag, text } from "../options/text.ts";
import { messages, planned } from "./option_sets.ts";

/** Options of `holdfast client`: what a run leaves behind, and when it fails. */
export const resultRows = {
  expectations: row({
    name: "expect",
    kind: text,
    placeholder: "condition",
    repeatable: true,
    category: "Results",
    summary: "exit with 1 unless this holds, as in 'response.p99<10ms'; may be repeated",
  }),
  maxScheduleErrorMs: row({
    name: "max-schedule-error",
    kind: positiveDuration,
    default: 10,
    category: "Results",
    summary: "bound on the p99 of the generator's own lateness; above it: invalid",
    requires: planned,
  }),
  jsonFile: row({
    name: "json",
    kind: file,
    category: "Results",
    summary: "write the final summary here as JSON",
  }),
  hdrFile: row({
    name: "hdr",
    kind: file,
    category: "Results",
    summary: "write the histograms here as an HdrHistogram log",
  }),
  htmlFile: row({
    name: "html",
    kind: file,
    category: "Results",
    summary: "write a page here that shows the whole run, for any browser",
  }),
  csvFile: row({
    name: "csv",
    kind: fileOrStream,
    category: "Results",
    summary: "write a row for each message and each answer here",
    requires: messages,
  }),
  statsAddress: statsAddressRow,
  quiet: row({
    name: "quiet",
    short: "q",
    kind: flag,
    default: false,
    category: "Results",
    summary: "print only the final summary",
  }),
  labels: labelsRow,
};
