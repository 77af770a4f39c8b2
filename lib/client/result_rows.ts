import { positiveDuration } from "../options/duration.ts";
import {
  expectationsRow,
  jsonFileRow,
  labelsRow,
  quietRow,
  statsAddressRow,
} from "../options/result_rows.ts";
import { row } from "../options/row.ts";
import { file, fileOrStream } from "../options/text.ts";
import { messages, planned } from "./option_sets.ts";

/** Options of `holdfast client`: what a run leaves behind, and when it fails. */
export const resultRows = {
  expectations: expectationsRow("response.p99<10ms"),
  maxScheduleErrorMs: row({
    name: "max-schedule-error",
    kind: positiveDuration,
    default: 10,
    category: "Results",
    summary: "bound on the p99 of the generator's own lateness; above it: invalid",
    requires: planned,
  }),
  jsonFile: jsonFileRow,
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
  quiet: quietRow("the final summary"),
  labels: labelsRow,
};
