import { statsAddress } from "./address.ts";
import { label } from "./label.ts";
import { row } from "./row.ts";

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
