import { expectationsRow } from "../options/result_rows.ts";
import { row, type SettingsOf } from "../options/row.ts";
import { choice, fileOrStream } from "../options/text.ts";

/** The options of `holdfast report`. */
export const reportRows = {
  format: row({
    name: "format",
    short: "f",
    kind: choice("text", "json", "hdr"),
    default: "text",
    category: "Results",
    summary: "a summary, what --json of one run writes, or an HdrHistogram log",
  }),
  outputFile: row({
    name: "output",
    short: "o",
    kind: fileOrStream,
    default: "-",
    category: "Results",
    summary: "write the result here; -: standard output",
  }),
  expectations: expectationsRow("response.p99<10ms"),
};

export type ReportSettings = SettingsOf<typeof reportRows>;
