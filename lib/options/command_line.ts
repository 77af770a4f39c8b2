import { conflictOf, hasRequired, isSet } from "./reference.ts";
import { isFlag, type Rows, type SettingsOf } from "./row.ts";

/** What a subcommand receives: everything parsed and checked, nothing left as text. */
export interface CommandLine<S> {
  /** The arguments that are not options: endpoints, as written. */
  readonly positional: readonly string[];
  readonly settings: S;
  /** The options that came from the command line or the environment, not from a default. */
  readonly given: ReadonlySet<keyof S & string>;
  /** Every setting in force, by flag name, as a user would write it. */
  readonly rendered: Readonly<Record<string, string>>;
  readonly version: string;
  /** The environment of this process, for children that are to get another. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * Every setting in force, by flag name, as a user would write it: not the flags that are as by default,
 * nor defaults that have no meaning beside the others. Several values of one option are joined by `; `,
 * which is also how the environment separates them.
 */
export function renderSettings<R extends Rows>(
  rows: R,
  settings: SettingsOf<R>,
): Record<string, string> {
  const rendered: Record<string, string> = {};
  for (const [key, row] of Object.entries(rows)) {
    if (!isSet(row, settings[key]) && row.presence !== "defaulted") continue;
    if (isFlag(row) && settings[key] === (row.presence === "defaulted" && row.default)) continue;
    if (conflictOf(row, rows, settings) !== undefined || !hasRequired(row, rows, settings)) {
      continue;
    }
    rendered[row.name] = row.presence === "repeatable"
      ? (settings[key] as readonly unknown[]).map((one) => row.kind.format(one)).join("; ")
      : row.kind.format(settings[key]);
  }
  return rendered;
}

/**
 * The settings when nothing is given, with changes: what a test or a program needs to call a
 * subcommand without a command line.
 */
export function commandLineOf<R extends Rows>(
  rows: R,
  positional: readonly string[],
  changes: Partial<SettingsOf<R>> = {},
  version = "unversioned",
): CommandLine<SettingsOf<R>> {
  const settings = { ...defaultSettings(rows), ...changes };
  return {
    positional,
    settings,
    given: new Set(Object.keys(changes) as (keyof R & string)[]),
    rendered: renderSettings(rows, settings),
    version,
  };
}

/** The settings when nothing is given. */
export function defaultSettings<R extends Rows>(rows: R): SettingsOf<R> {
  const settings: Record<string, unknown> = {};
  for (const [key, row] of Object.entries(rows)) {
    settings[key] = row.presence === "repeatable"
      ? []
      : row.presence === "defaulted"
      ? row.default
      : undefined;
  }
  return settings as SettingsOf<R>;
}
