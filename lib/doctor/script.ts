import { formatCount } from "../stats/figures.ts";
import { contentOf, sysctlText } from "../host/kernel_file.ts";
import { answer, type Examination } from "./examination.ts";
import { commandOf, type Remedy, textOf } from "./remedy.ts";

/**
 * A shell script (POSIX sh) that sets what is short, and says how to undo it. It goes on where the
 * host refuses one of its commands, and then ends with 1.
 */
export function script(examination: Examination): string[] {
  const short = examination.rows.filter(({ remedies }) => remedies.length > 0);
  const asked = examination.asked ?? 0;
  return [
    "#!/bin/sh",
    `# holdfast doctor: makes room for ${
      formatCount(asked)
    } ${examination.question.capacity.role} ` +
    "connections. Run it as root;",
    "# to keep what ulimit sets, source it in the shell that starts holdfast.",
    comment(answer(examination)),
    "failed=0",
    ...short.flatMap(({ name, value, remedies }) => [
      "",
      comment(`${name}: ${value}`),
      ...remedies.flatMap(lines),
    ]),
    "",
    ...(short.length === 0 ? ["# Nothing is short."] : []),
    "test $failed = 0",
  ];
}

/** On one line, whatever is in it: nothing of it may run. */
function comment(text: string): string {
  return `# ${text.replace(/\s+/g, " ")}`;
}

function lines(remedy: Remedy): string[] {
  const command = commandOf(remedy);
  if (command === undefined) return [comment(textOf(remedy))];
  const before = valueNow(remedy);
  const undo = before === undefined ? undefined : commandOf({ ...remedy, value: before } as Remedy);
  return [`${command} || failed=1`, ...(undo === undefined ? [] : [`# undo: ${undo}`])];
}

/** What a remedy changes, as it stands; undefined: not known, or only of a process. */
export function valueNow(remedy: Remedy): string | undefined {
  if (remedy.kind !== "sysctl" && remedy.kind !== "file") return undefined;
  const text = remedy.kind === "sysctl" ? sysctlText(remedy.name) : contentOf(remedy.path);
  return text === "" ? undefined : text.trim().replace(/\s+/g, " ");
}
