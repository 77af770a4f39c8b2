import process from "node:process";
import { type ExitCode, exitCodes, UsageError } from "../errors.ts";
import type { CommandLine } from "../options/command_line.ts";
import { checkForSchemes } from "../options/resolve.ts";
import type { Io } from "../report/io.ts";
import { openOutput } from "../report/output.ts";
import { apply } from "./apply.ts";
import { examine, fits } from "./examination.ts";
import { examinationJson } from "./examination_json.ts";
import { doctorRows, type DoctorSettings } from "./options.ts";
import { script } from "./script.ts";
import { table } from "./table.ts";
import { askAbout, parseTarget } from "./target.ts";

/**
 * `holdfast doctor`: says how many connections this host can hold, and what to change for more.
 *
 * @returns 0 when those that were asked for fit, or none were; else 5.
 * @throws {HoldfastError} the question makes no sense, or the target does not resolve.
 */
export async function run(
  commandLine: CommandLine<DoctorSettings>,
  io: Io,
  _signal: AbortSignal,
): Promise<ExitCode> {
  const { settings } = commandLine;
  const scheme = settings.target === undefined ? "tcp" : parseTarget(settings.target).scheme;
  checkForSchemes(doctorRows, commandLine, [scheme]);
  if (settings.apply) requireRoot();
  const output = settings.jsonFile === undefined ? undefined : openOutput(settings.jsonFile, io);
  try {
    const question = await askAbout(settings);
    const { connections } = settings;
    const before = await examine(question, connections);
    if (settings.script) {
      for (const line of script(before)) io.out(line);
      return fits(before) ? exitCodes.ok : exitCodes.hostLimit;
    }
    const applied = settings.apply ? apply(before) : undefined;
    const after = applied === undefined ? before : await examine(question, connections);
    if (settings.jsonFile !== "-") {
      for (const line of table(after)) io.out(line);
    }
    if (applied !== undefined) tell(applied, settings.jsonFile === "-" ? io.note : io.out, io);
    output?.write(new TextEncoder().encode(examinationJson(after, applied)));
    return fits(after) ? exitCodes.ok : exitCodes.hostLimit;
  } finally {
    output?.close();
  }
}

function requireRoot(): void {
  if (process.getuid?.() === 0) return;
  throw new UsageError(
    "--apply sets limits of the host, which takes root; run it with sudo, or print what it would " +
      "do with --script",
  );
}

function tell(
  { changes, undo, left }: ReturnType<typeof apply>,
  say: (line: string) => void,
  io: Io,
): void {
  const line = (text: string) => say.call(io, text);
  line("");
  if (changes.length === 0) line("Nothing was changed.");
  else line("Changed:");
  for (const change of changes) line(`  ${change}`);
  if (undo.length > 0) line("To undo it:");
  for (const command of undo) line(`  ${command}`);
  if (left.length > 0) line("Left to do:");
  for (const rest of left) line(`  ${rest}`);
}
