import { writeFileSync } from "node:fs";
import { messageOf } from "../errors.ts";
import { sysctlPath } from "../host/kernel_file.ts";
import type { Examination } from "./examination.ts";
import { commandOf, type Remedy, textOf } from "./remedy.ts";
import { valueNow } from "./script.ts";

/** What became of the remedies. */
export interface Application {
  /** `net.core.somaxconn: 128 -> 4096`. */
  readonly changes: readonly string[];
  /** Commands that put the old values back, the last change first. */
  readonly undo: readonly string[];
  /** What the host refused, and what this process cannot do for others. */
  readonly left: readonly string[];
}

/** Sets what is short, one after the other; what fails is told and does not keep the rest back. */
export function apply(examination: Examination): Application {
  const changes: string[] = [];
  const undo: string[] = [];
  const left: string[] = [];
  for (const remedy of examination.rows.flatMap(({ remedies }) => remedies)) {
    if (remedy.kind !== "sysctl" && remedy.kind !== "file") {
      left.push(
        remedy.kind === "ulimit"
          ? `${
            textOf(remedy)
          } holds for a shell and what it starts: run it in the one that starts ` +
            `holdfast`
          : remedy.text,
      );
      continue;
    }
    const path = remedy.kind === "sysctl" ? sysctlPath(remedy.name) : remedy.path;
    const name = remedy.kind === "sysctl" ? remedy.name : remedy.path;
    const before = valueNow(remedy);
    try {
      writeFileSync(path, remedy.value, { flag: "r+" });
    } catch (error) {
      left.push(`${name} cannot be set to ${remedy.value} here: ${messageOf(error)}`);
      continue;
    }
    const after = valueNow(remedy);
    if (after === before) {
      if (after !== remedy.value) left.push(`${name} stays at ${after}: the kernel took no more`);
      continue;
    }
    changes.push(`${name}: ${before ?? "?"} -> ${after ?? "?"}`);
    if (before !== undefined) undo.unshift(undoCommand(remedy, before));
  }
  return { changes, undo, left };
}

function undoCommand(remedy: Remedy & { kind: "sysctl" | "file" }, before: string): string {
  return commandOf({ ...remedy, value: before })!;
}
