import { answer, type Examination, fits } from "./examination.ts";
import type { Application } from "./apply.ts";
import { commandOf } from "./remedy.ts";

/** The version of this format; it changes when a field changes its meaning or goes. */
const schemaVersion = 1;

/** The findings as JSON: numbers as numbers, what is not known or has no number as null. */
export function examinationJson(
  examination: Examination,
  applied: Application | undefined,
): string {
  const { question, capacity, asked, rows, platform, firstLimit } = examination;
  const { role, kind, workers, isTargetLocal } = question.capacity;
  const json = {
    schemaVersion,
    answer: answer(examination),
    platform,
    role,
    target: question.targetName === "" ? null : question.targetName,
    transport: kind,
    isTargetLocal,
    workers,
    asked: asked ?? null,
    fits: fits(examination),
    connections: finite(capacity.connections),
    firstLimit: firstLimit === "" ? null : firstLimit,
    limits: rows.map(({ name, value, connections, note, verdict, remedies }) => ({
      name,
      value,
      connections: finite(connections),
      note,
      verdict,
      commands: remedies.map(commandOf).filter((command) => command !== undefined),
      advice: remedies.flatMap((remedy) => remedy.kind === "advice" ? [remedy.text] : []),
    })),
    applied: applied ?? null,
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

function finite(number: number | undefined): number | null {
  return number === undefined || !Number.isFinite(number) ? null : number;
}
