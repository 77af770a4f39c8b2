import { row, type SettingsOf } from "../options/row.ts";
import { choice, fileOrStream, text } from "../options/text.ts";

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
  expectations: row({
    name: "expect",
    kind: text,
    placeholder: "condition",
    repeatable: true,
    category: "Results",
    summary: "exit with 1 unless this holds over all hosts; may be repeated",
  }),
};

export type ReportSettings = SettingsOf<typeof reportRows>;
