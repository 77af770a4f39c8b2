import type { AnyRow, Rows } from "./row.ts";

/**
 * Names another option of the same table. A key (`scheduleFile`) says that it is set: only flags and
 * options without a default can be named so. A key and a value as it is written (`codec=dns`) say
 * that this is its value, given or by default.
 */
export type Reference = string;

type Settings = Readonly<Record<string, unknown>>;

/** Splits `codec=dns` into key and value. */
export function parseReference(reference: Reference): { key: string; value: string | undefined } {
  const [key = "", value] = reference.split("=");
  return { key, value };
}

/** Whether a setting says anything: not left out, not an empty list, not a flag that is off. */
export function isSet(row: AnyRow, value: unknown): boolean {
  if (row.presence === "repeatable") return (value as readonly unknown[]).length > 0;
  return value !== undefined && value !== false;
}

/** Whether what the reference says is so. */
export function holds(reference: Reference, rows: Rows, settings: Settings): boolean {
  const { key, value } = parseReference(reference);
  const row = rows[key];
  if (row === undefined) throw new TypeError(`no option has the key ${key}`);
  if (!isSet(row, settings[key])) return false;
  return value === undefined || row.kind.format(settings[key]) === value;
}

/** The first of the row's conflicts that is there. */
export function conflictOf(row: AnyRow, rows: Rows, settings: Settings): Reference | undefined {
  return row.conflicts?.find((reference) => holds(reference, rows, settings));
}

/** Whether one of the options that the row requires is there, or it requires none. */
export function hasRequired(row: AnyRow, rows: Rows, settings: Settings): boolean {
  return row.requires?.some((reference) => holds(reference, rows, settings)) ?? true;
}
