import { type AnyRow, environmentName, hasBare, isFlag } from "../options/row.ts";
import type { Command } from "./command.ts";

/** Help fits a terminal of this width. */
export const helpWidth = 80;

/** Where the explanations of options begin. */
const summaryColumn = 32;

/** What `holdfast --help` prints. */
export function overviewHelp(commands: readonly Command[]): string {
  const nameWidth = Math.max(...commands.map(({ name }) => name.length));
  return [
    "holdfast: how many connections does a server hold, how fast does it answer,",
    "and what breaks first?",
    "",
    "Usage: holdfast <command> [options]",
    "",
    "Commands:",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(nameWidth)}  ${summary}`),
    "",
    "Options:",
    ...optionLines("-h, --help", "show this help, or that of a command"),
    ...optionLines("-V, --version", "show the version"),
    "",
    "Exit codes:",
    "  0 ok, 1 an expectation failed, 2 usage, 3 invalid run, 4 target unreachable,",
    "  5 host limit, 70 a bug in holdfast, 130 interrupted",
    "",
    "Examples:",
    "  holdfast server tcp://:4242 ws://:8080",
    "  holdfast client tcp://localhost:4242 -c 5000 --connect-rate 500 -r 50k -t 60s",
    "  curl -s localhost:9464/stats",
  ].join("\n");
}

/** What `holdfast <group> --help` prints: the commands that begin with this word. */
export function groupHelp(group: string, commands: readonly Command[]): string {
  const members = commands.filter(({ name }) => name.startsWith(`${group} `));
  const nameWidth = Math.max(...members.map(({ name }) => name.length));
  return [
    `Usage: holdfast ${group} <command> [options]`,
    "",
    "Commands:",
    ...members.map(({ name, summary }) => `  ${name.padEnd(nameWidth)}  ${summary}`),
    "",
    `holdfast ${group} <command> --help shows the options of one.`,
  ].join("\n");
}

/** What `holdfast <command> --help` prints: options by category, then real command lines. */
export function commandHelp(command: Command): string {
  const { name, summary, rows, examples } = command;
  const { least, most, name: argument, summary: argumentSummary } = command.arguments;
  const written = `${argument}${most > 1 ? "…" : ""}`;
  const position = most === 0 ? "" : least > 0 ? ` <${written}>` : ` [${written}]`;
  const lines = [
    ...wrap(`holdfast ${name}: ${summary}`, helpWidth),
    "",
    `Usage: holdfast ${name}${position} [options]`,
    ...argumentSummary.flatMap((line, index) => [
      ...(index === 0 ? [""] : []),
      `  ${(index === 0 ? argument : "").padEnd(argument.length)}  ${line}`,
    ]),
  ];
  for (const [category, members] of byCategory(Object.values(rows))) {
    lines.push("", `${category}:`);
    for (const row of members) lines.push(...optionLines(flagsOf(row), explanationOf(row)));
  }
  lines.push(
    "",
    ...wrap(notesOn(Object.values(rows)), helpWidth),
    "",
    "Examples:",
    ...examples.flatMap(({ purpose, line }) => [`  # ${purpose}`, `  ${line}`]),
  );
  return lines.join("\n");
}

/** How values are written, and the other way to give them. */
function notesOn(rows: readonly AnyRow[]): string {
  const sample = rows.find(({ name }) => name.includes("-")) ?? rows[0];
  const environment = sample === undefined
    ? ""
    : ` Each option has an environment variable (${environmentName(sample)} for ` +
      `--${sample.name}); the command line goes before it, and --no-<flag> turns off a flag ` +
      `that it sets.`;
  return `Durations are written 500ms, 1.5s or 2m; rates and counts 50000, 50k or 1.2M; sizes ` +
    `64, 64KiB or 1MB.${environment}`;
}

/** Rows under their categories, both in the order of the table. */
export function byCategory(rows: readonly AnyRow[]): ReadonlyMap<string, readonly AnyRow[]> {
  return Map.groupBy(rows, (row) => row.category);
}

/** `-r, --rate <n>`, as a user writes it. */
export function flagsOf(row: AnyRow): string {
  const short = row.short === undefined ? "" : `-${row.short}, `;
  const placeholder = row.placeholder ?? row.kind.placeholder;
  const value = isFlag(row) ? "" : hasBare(row) ? ` [${placeholder}]` : ` <${placeholder}>`;
  return `${short}--${row.name}${value}`;
}

/** What holds when the option is not given; empty for flags and for what is then simply absent. */
export function defaultOf(row: AnyRow): string {
  if (isFlag(row)) return "";
  if (hasBare(row)) return `off; alone: ${row.kind.format(row.bare)}`;
  return row.presence === "defaulted" ? row.kind.format(row.default) : row.otherwise ?? "";
}

function explanationOf(row: AnyRow): string {
  const standard = defaultOf(row);
  return standard === "" ? row.summary : `${row.summary} (default: ${standard})`;
}

function optionLines(flags: string, explanation: string): string[] {
  const indented = `  ${flags.startsWith("--") ? "    " : ""}${flags}`;
  const wrapped = wrap(explanation, helpWidth - summaryColumn)
    .map((line) => " ".repeat(summaryColumn) + line);
  const [first = "", ...rest] = wrapped;
  if (indented.length > summaryColumn - 2) return [indented, first, ...rest];
  return [indented.padEnd(summaryColumn) + first.trimStart(), ...rest];
}

/** Breaks a text at spaces into lines of at most `width` characters. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
