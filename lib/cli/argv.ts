import { Command as Parser, CommanderError, Option } from "commander";
import { UsageError } from "../errors.ts";
import { oneOf, quote } from "../options/kind.ts";
import type { GivenText, GivenTexts } from "../options/resolve.ts";
import { type AnyRow, hasBare, isFlag } from "../options/row.ts";
import type { Command } from "./command.ts";
import { commandHelp, groupHelp, overviewHelp } from "./help.ts";

/** What the arguments ask for. */
export type Invocation =
  /** A text to print: help or the version. */
  | { readonly action: "print"; readonly text: string }
  /** Nothing at all came; help is the answer, but not a success. */
  | { readonly action: "no-command"; readonly text: string }
  /** The option reference of the README. */
  | { readonly action: "reference" }
  | {
    readonly action: "run";
    readonly command: Command;
    readonly positional: readonly string[];
    readonly texts: GivenTexts;
  };

/**
 * Reads the arguments after the program's name. Values stay text.
 *
 * @throws {UsageError} an unknown command or option, a value that is missing, an argument too many.
 */
export function readArgv(
  argv: readonly string[],
  commands: readonly Command[],
  version: string,
): Invocation {
  return readWords(withWholeName(argv, commands), commands, version);
}

/** The arguments with a command of two words (`p2p node`) as one, which the parser knows it by. */
function withWholeName(argv: readonly string[], commands: readonly Command[]): readonly string[] {
  const at = argv[0] === "help" ? 1 : 0;
  const name = argv.slice(at, at + 2).join(" ");
  if (!commands.some((command) => command.name === name)) return argv;
  return [...argv.slice(0, at), name, ...argv.slice(at + 2)];
}

function readWords(
  argv: readonly string[],
  commands: readonly Command[],
  version: string,
): Invocation {
  let invocation: Invocation | undefined;
  let printed = "";
  const program = new Parser("holdfast")
    .exitOverride()
    .configureOutput({ writeOut: (text) => printed += text, writeErr: () => {} })
    .configureHelp({ formatHelp: () => overviewHelp(commands) })
    .version(version, "-V, --version")
    .helpCommand(false)
    .showSuggestionAfterError();
  program.command("help", { hidden: true })
    .argument("[command]")
    .action((name: string | undefined) => {
      invocation = { action: "print", text: helpOn(name, commands) };
    });
  program.command("reference", { hidden: true })
    .action(() => {
      invocation = { action: "reference" };
    });
  for (const group of groupsOf(commands)) {
    program.command(group, { hidden: true })
      .argument("[command]")
      .allowUnknownOption()
      .allowExcessArguments()
      .configureHelp({ formatHelp: () => groupHelp(group, commands) })
      .action((name: string | undefined) => {
        if (name !== undefined) throw unknownCommand(`${group} ${name}`, group, commands);
        invocation = { action: "no-command", text: groupHelp(group, commands) };
      });
  }
  for (const command of commands) {
    // Not program.command(name), which takes what follows a space for an argument.
    const parser = program.createCommand(command.name);
    program.addCommand(parser);
    parser.copyInheritedSettings(program)
      .argument(`[${command.arguments.name}...]`)
      .configureHelp({ formatHelp: () => commandHelp(command) })
      .action((positional: string[]) => {
        checkArguments(command, positional);
        invocation = { action: "run", command, positional, texts: textsOf(parser, command) };
      });
    for (const row of Object.values(command.rows)) addOptions(parser, row);
  }
  if (argv.length === 0) return { action: "no-command", text: overviewHelp(commands) };
  try {
    program.parse(withBareValues(argv, commands), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0 || error.code === "commander.help") {
      return { action: "print", text: printed.trimEnd() };
    }
    throw usageErrorOf(error, argv, commands);
  }
  if (invocation === undefined) throw new TypeError("the parser called no action");
  return invocation;
}

/**
 * The arguments with a value behind each option that can do without and came without one: the parser
 * would take the endpoint that follows for it.
 */
function withBareValues(argv: readonly string[], commands: readonly Command[]): string[] {
  const command = commands.find(({ name }) => name === argv[0]);
  const rows = Object.values(command?.rows ?? {}).filter(hasBare);
  return argv.map((argument, index) => {
    const row = rows.find(({ name }) => argument === `--${name}`);
    const next = argv[index + 1];
    const isOption = next?.startsWith("-") === true && next !== "-";
    const isAlone = next === undefined || isOption || next.includes("://");
    return row === undefined || !isAlone ? argument : `${argument}=${row.kind.format(row.bare)}`;
  });
}

function helpOn(name: string | undefined, commands: readonly Command[]): string {
  if (name === undefined) return overviewHelp(commands);
  if (groupsOf(commands).includes(name)) return groupHelp(name, commands);
  const command = commands.find((command) => command.name === name);
  if (command === undefined) throw unknownCommand(name, undefined, commands);
  return commandHelp(command);
}

/** The first words of the commands of two words. */
function groupsOf(commands: readonly Command[]): string[] {
  const firstWords = commands.map(({ name }) => name.split(" "))
    .flatMap(([first, second]) => first === undefined || second === undefined ? [] : [first]);
  return [...new Set(firstWords)];
}

function unknownCommand(
  name: string,
  group: string | undefined,
  commands: readonly Command[],
): UsageError {
  const candidates = commands.map(({ name }) => name)
    .filter((candidate) => group === undefined || candidate.startsWith(`${group} `));
  return new UsageError(`there is no command ${quote(name)}; use ${oneOf(candidates)}`);
}

function addOptions(parser: Parser, row: AnyRow): void {
  const short = row.short === undefined ? "" : `-${row.short}, `;
  if (isFlag(row)) {
    const on = new Option(`${short}--${row.name}`);
    const off = new Option(`--no-${row.name}`);
    parser.addOption(on).addOption(off);
    return;
  }
  const collect = (text: string, earlier: readonly string[] | undefined) => {
    // The parser takes whatever follows as the value, another option too.
    const swallowed = parser.options.find(({ long, short }) => text === long || text === short);
    if (swallowed !== undefined) {
      throw new UsageError(`--${row.name} needs a value, but the option ${text} came`);
    }
    return [...earlier ?? [], text];
  };
  parser.addOption(new Option(`${short}--${row.name} <value>`).argParser(collect));
}

function textsOf(parser: Parser, command: Command): GivenTexts {
  const byName = new Map(parser.options.map((option) => [option.long, option.attributeName()]));
  const texts = new Map<string, GivenText>();
  for (const [key, row] of Object.entries(command.rows)) {
    const attribute = byName.get(`--${row.name}`) ?? "";
    if (parser.getOptionValueSource(attribute) !== "cli") continue;
    const value: string[] | boolean = parser.getOptionValue(attribute);
    texts.set(
      key,
      Array.isArray(value)
        ? { texts: value, source: `--${row.name}` }
        : { texts: [String(value)], source: `--${value ? "" : "no-"}${row.name}` },
    );
  }
  return texts;
}

function checkArguments(command: Command, positional: readonly string[]): void {
  const { name, least, most, example = name } = command.arguments;
  if (positional.length < least) {
    throw new UsageError(
      `holdfast ${command.name} needs ${/^[aeiou]/.test(name) ? "an" : "a"} ${name}, ` +
        `for instance ${example}`,
    );
  }
  if (positional.length > most) {
    throw new UsageError(
      `holdfast ${command.name} takes ${most === 0 ? "options only" : `one ${name}`}, but ` +
        `${positional.length === 1 ? "this" : positional.length} came: ` +
        positional.map(quote).join(", "),
    );
  }
}

/** The parser's message in one line, and where to look further. */
function usageErrorOf(
  error: CommanderError,
  argv: readonly string[],
  commands: readonly Command[],
): UsageError {
  const named = commands.find(({ name }) => name === argv[0]);
  const help = named === undefined ? "holdfast --help" : `holdfast ${named.name} --help`;
  const first = argv[0] ?? "";
  if (first.includes("://")) {
    const names = commands.map(({ name }) => `holdfast ${name} ${first}`);
    return new UsageError(`the command is missing; write ${oneOf(names)}`, { cause: error });
  }
  const message = error.code === "commander.optionMissingArgument"
    ? `${/--[^ ]+/.exec(error.message)?.[0]} needs a value`
    : error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
  return new UsageError(`${message}; ${help} lists what there is`, { cause: error });
}
