import { oneOf } from "../options/kind.ts";
import { parseReference, type Reference } from "../options/reference.ts";
import type { AnyRow, Rows } from "../options/row.ts";
import type { Command } from "./command.ts";
import { byCategory, defaultOf, flagsOf } from "./help.ts";

/** The option reference of the README, in Markdown: what `holdfast reference` prints. */
export function referenceText(commands: readonly Command[]): string {
  return [introduction, ...commands.map(commandReference)].join("\n\n");
}

const introduction =
  `Each option has an environment variable: \`HOLDFAST_CONNECT_RATE\` for \`--connect-rate\`. The command
line goes before the environment, the environment before the default, and \`--no-<flag>\` turns off a
flag that the environment sets. Several values of a repeatable option are separated by \`;\` there.`;

function commandReference({ name, rows }: Command): string {
  const sections = [...byCategory(Object.values(rows))].map(([category, members]) => {
    const cells = members.map((row) => [
      code(flagsOf(row)),
      row.presence === "defaulted" ? code(defaultOf(row)) : escape(defaultOf(row)),
      escape(meaningOf(row, rows)),
    ]);
    return table([[category, "default", "meaning"], ...cells]);
  });
  return [`### holdfast ${name}`, ...sections].join("\n\n");
}

/** What the option does, and what a user must know before combining it with others. */
function meaningOf(row: AnyRow, rows: Rows): string {
  const written = (references: readonly Reference[]) =>
    oneOf(references.map((reference) => {
      const { key, value } = parseReference(reference);
      return `--${rows[key]?.name}${value === undefined ? "" : ` ${value}`}`;
    }));
  const conditions: string[] = [];
  if (row.requires !== undefined) {
    const category = categoryOf(row.requires, rows);
    conditions.push(
      category === undefined
        ? `needs ${written(row.requires)}`
        : `needs a ${category.toLowerCase()} option`,
    );
  }
  const conflicts = conflictsOf(row, rows);
  if (conflicts.length > 0) conditions.push(`not with ${written(conflicts)}`);
  if (row.schemes !== undefined) conditions.push(`on ${oneOf(row.schemes)}`);
  for (const [value, schemes] of Object.entries(row.schemesOfValue ?? {})) {
    conditions.push(`${value} on ${oneOf(schemes)}`);
  }
  return conditions.length === 0 ? row.summary : `${row.summary} (${conditions.join("; ")})`;
}

/** The category of which these are all the options that stand alone; undefined if they are not. */
function categoryOf(references: readonly Reference[], rows: Rows): string | undefined {
  const category = rows[references[0] ?? ""]?.category;
  const standalone = Object.keys(rows)
    .filter((key) => rows[key]?.category === category && rows[key]?.requires === undefined);
  const isWhole = standalone.length > 1 && standalone.length === references.length &&
    standalone.every((key) => references.includes(key));
  return isWhole ? category : undefined;
}

/** The table names a conflict on one side only; readers look for it on both. */
function conflictsOf(row: AnyRow, rows: Rows): Reference[] {
  const key = Object.keys(rows).find((key) => rows[key] === row) ?? "";
  const named = Object.keys(rows).filter((other) => rows[other]?.conflicts?.includes(key));
  return [...row.conflicts ?? [], ...named];
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
