import { oneOf } from "../options/kind.ts";
import { parseReference, type Reference } from "../options/reference.ts";
import type { AnyRow, Rows } from "../options/row.ts";
import type { Command } from "./command.ts";
import { byCategory, defaultOf, flagsOf } from "./help.ts";

/** The option reference of the README, in Markdown: what `holdfast reference` prints. */
export function referenceText(commands: readonly Command[]): string {
  return commands.map(commandReference).join("\n\n");
}

function commandReference({ name, rows }: Command): string {
  const sections = [...byCategory(Object.values(rows))].map(([category, members]) => {
    const cells = members.map((row) => [
      code(flagsOf(row)),
      row.presence === "defaulted" ? code(defaultOf(row)) : escape(defaultOf(row)),
      [row.summary, ...conditionsOf(row, rows)].map(escape).join("; "),
    ]);
    return `${table([[category, "default", "meaning"], ...cells])}`;
  });
  return [`### holdfast ${name}`, ...sections].join("\n\n");
}

/** What a user must know before combining the option with others. */
function conditionsOf(row: AnyRow, rows: Rows): string[] {
  const written = (references: readonly Reference[]) =>
    oneOf(references.map((reference) => {
      const { key, value } = parseReference(reference);
      return `--${rows[key]?.name}${value === undefined ? "" : ` ${value}`}`;
    }));
  const conditions: string[] = [];
  if (row.requires !== undefined) conditions.push(`needs ${written(row.requires)}`);
  if (row.conflicts !== undefined) conditions.push(`not with ${written(row.conflicts)}`);
  if (row.schemes !== undefined) conditions.push(`on ${oneOf(row.schemes)}`);
  for (const [value, schemes] of Object.entries(row.schemesOfValue ?? {})) {
    conditions.push(`${value} on ${oneOf(schemes)}`);
  }
  return conditions;
}

function escape(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "\\<");
}

function code(text: string): string {
  return text === "" ? "" : `\`${text.replaceAll("|", "\\|")}\``;
}

/** Rows of cells as a Markdown table with aligned columns; the first row is the head. */
function table(cells: readonly (readonly string[])[]): string {
  const [head = [], ...body] = cells;
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}
