import { formatCount } from "../stats/figures.ts";
import { hanging } from "../report/columns.ts";
import { answer, type Examination, fits } from "./examination.ts";
import type { LimitRow } from "./limit_row.ts";
import { textOf } from "./remedy.ts";

/** The answer, then a row for each limit, with what mends it below those that are too small. */
export function table(examination: Examination): string[] {
  const cells = examination.rows.map((row) => [
    row.name,
    row.value,
    row.connections === undefined ? "-" : formatCount(row.connections),
    row.verdict,
  ]);
  const head = ["limit", "value", "connections", "verdict"];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]!.length))
  );
  const line = (row: readonly string[]) =>
    row.map((cell, column) =>
      column === 2 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)
    ).join("  ").trimEnd();
  return [
    answer(examination),
    ...verdictLines(examination),
    "",
    line(head),
    ...examination.rows.flatMap((row, index) => [
      line(cells[index]!),
      ...hanging("    ", row.note),
      ...mending(row),
    ]),
  ];
}

function verdictLines(examination: Examination): string[] {
  const unknown = examination.rows.filter(({ verdict }) => verdict === "unknown").length;
  return [
    ...fitLines(examination),
    ...(unknown === 0 ? [] : [`${unknown} of the limits cannot be read here.`]),
  ];
}

function fitLines(examination: Examination): string[] {
  const { asked, rows } = examination;
  if (asked === undefined) return [];
  const tooSmall = rows.filter(({ connections }) =>
    connections !== undefined && connections < asked
  )
    .map(({ name }) => name);
  return hanging(
    "",
    fits(examination)
      ? `The ${formatCount(asked)} that are asked for fit.`
      : `The ${formatCount(asked)} that are asked for do not fit: ${tooSmall.join(", ")}.`,
  );
}

function mending({ remedies }: LimitRow): string[] {
  return remedies.map((remedy) => `    mend: ${textOf(remedy)}`);
}
