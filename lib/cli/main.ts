import manifest from "../../deno.json" with { type: "json" };
import { exitCodes, HoldfastError, messageOf, UsageError } from "../errors.ts";
import { renderSettings } from "../options/command_line.ts";
import { givenByEnvironment, resolve } from "../options/resolve.ts";
import { environmentName } from "../options/row.ts";
import type { Io } from "../report/io.ts";
import { readArgv } from "./argv.ts";
import type { Command } from "./command.ts";
import { commands } from "./commands.ts";
import { referenceText } from "./reference.ts";
import { isOneSlipApart } from "./similar.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Runs the command line. Every error ends here: as one line on stderr and an exit code.
 *
 * @param argv the arguments after the program's name.
 * @param signal aborted when the user interrupts.
 * @param available the subcommands there are.
 * @returns the exit code.
 */
export async function main(
  argv: readonly string[],
  environment: Environment,
  io: Io,
  signal: AbortSignal,
  available: readonly Command[] = commands,
): Promise<number> {
  try {
    return await perform(argv, environment, io, signal, available);
  } catch (error) {
    return reportError(error, environment, (line) => io.note(line));
  }
}

async function perform(
  argv: readonly string[],
  environment: Environment,
  io: Io,
  signal: AbortSignal,
  available: readonly Command[],
): Promise<number> {
  const invocation = readArgv(argv, available, manifest.version);
  if (invocation.action === "print") {
    io.out(invocation.text);
    return exitCodes.ok;
  }
  if (invocation.action === "no-command") {
    io.note(invocation.text);
    return exitCodes.usage;
  }
  if (invocation.action === "reference") {
    io.out(referenceText(available));
    return exitCodes.ok;
  }
  const { command, positional, texts } = invocation;
  checkEnvironment(environment, command, available);
  // Later entries win: the command line goes before the environment.
  const merged = new Map([...givenByEnvironment(command.rows, environment), ...texts]);
  const { settings, given } = resolve(command.rows, merged);
  const rendered = renderSettings(command.rows, settings);
  const { run } = await command.load();
  return await run(
    { positional, settings, given, rendered, version: manifest.version, environment },
    io,
    signal,
  );
}

/**
 * A variable that differs by a slip from one that exists would otherwise be ignored. Others are left
 * alone: the environment belongs to everyone (Kubernetes sets `HOLDFAST_PORT` for a service that is
 * called holdfast).
 */
function checkEnvironment(
  environment: Environment,
  command: Command,
  available: readonly Command[],
): void {
  const known = new Set(
    available.flatMap(({ rows }) => Object.values(rows).map(environmentName)),
  ).add(debugVariable);
  for (const name of Object.keys(environment)) {
    if (!name.startsWith("HOLDFAST_") || known.has(name)) continue;
    const meant = [...known].find((other) => isOneSlipApart(name, other));
    if (meant !== undefined) {
      throw new UsageError(
        `the environment sets ${name}, which holdfast ${command.name} does not know; ` +
          `did you mean ${meant}?`,
      );
    }
  }
}

const debugVariable = "HOLDFAST_DEBUG";

/** Writes what was thrown as one line, with its trace if the environment asks for that. */
export function reportError(
  error: unknown,
  environment: Environment,
  note: (line: string) => void,
): number {
  const debug = environment[debugVariable] ?? "";
  const isDebugging = debug !== "" && debug !== "0";
  if (error instanceof HoldfastError) {
    note(`holdfast: ${messageOf(error)}`);
    if (isDebugging) note(Bun.inspect(error));
    return error.exitCode;
  }
  const name = error instanceof Error ? `${error.name}: ` : "";
  note(
    `holdfast: this is a bug, please report it: ${name}${messageOf(error)}` +
      (isDebugging ? "" : ` (${debugVariable}=1 shows where)`),
  );
  if (isDebugging) note(Bun.inspect(error));
  return exitCodes.internal;
}
