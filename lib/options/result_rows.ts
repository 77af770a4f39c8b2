import { statsAddress } from "./address.ts";
import { positiveDuration } from "./duration.ts";
import { label } from "./label.ts";
import { row } from "./row.ts";
import { file, flag, text } from "./text.ts";

// Rows about the results of a run that mean the same for every subcommand that has them.

export const statsAddressRow = row({
  name: "stats",
  kind: statsAddress,
  default: { host: "127.0.0.1", port: 9464 },
  category: "Results",
  summary: "serve live statistics here; the default moves to the next free port",
});

export const labelsRow = row({
  name: "label",
  kind: label,
  repeatable: true,
  category: "Results",
  summary: "name the run in every result; may be repeated",
});

/** `--expect`, with an example of a condition in its summary. */
export const expectationsRow = (example: string) =>
  row({
    name: "expect",
    kind: text,
    placeholder: "condition",
    repeatable: true,
    category: "Results",
    summary: `exit with 1 unless this holds, as in '${example}'; may be repeated`,
  });

export const jsonFileRow = row({
  name: "json",
  kind: file,
  category: "Results",
  summary: "write the final report here as JSON",
});

/** `--quiet`, which leaves `printed`. */
export const quietRow = (printed: string) =>
  row({
    name: "quiet",
    short: "q",
    kind: flag,
    default: false,
    category: "Results",
    summary: `print only ${printed}`,
  });

/** `--report-every` of what runs until it is interrupted; its lines are about `subject`. */
export const reportEveryRow = (subject: string) =>
  row({
    name: "report-every",
    kind: positiveDuration,
    default: 5000,
    category: "Results",
    summary: `time between two lines about ${subject}`,
    conflicts: ["quiet"],
  });
