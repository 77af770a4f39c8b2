import { messageOf, UsageError } from "../errors.ts";
import { defaultSettings } from "./command_line.ts";
import { oneOf } from "./kind.ts";
import { conflictOf, hasRequired, isSet, parseReference, type Reference } from "./reference.ts";
import { type AnyRow, environmentName, hasBare, type Rows, type SettingsOf } from "./row.ts";

/** What came for one option, as text, and where from. */
export interface GivenText {
  readonly texts: readonly string[];
  /** How messages call it: `--rate`, or `HOLDFAST_RATE` from the environment. */
  readonly source: string;
}

/** Texts by key of the table. */
export type GivenTexts = ReadonlyMap<string, GivenText>;

/**
 * The options that the environment gives. A variable that is set but empty gives nothing. Several
 * values of a repeatable option are separated by semicolons. An option that needs no value is given
 * without one by `on`.
 */
export function givenByEnvironment(
  rows: Rows,
  environment: Readonly<Record<string, string | undefined>>,
): GivenTexts {
  const given = new Map<string, GivenText>();
  for (const [key, row] of Object.entries(rows)) {
    const source = environmentName(row);
    const text = environment[source]?.trim() ?? "";
    if (text === "") continue;
    if (hasBare(row) && /^(0|false|no|off)$/i.test(text)) continue;
    if (hasBare(row) && /^(1|true|yes|on)$/i.test(text)) {
      given.set(key, { texts: [row.kind.format(row.bare)], source });
      continue;
    }
    const texts = row.presence === "repeatable"
      ? text.split(";").map((one) => one.trim()).filter((one) => one !== "")
      : [text];
    given.set(key, { texts, source });
  }
  return given;
}

/**
 * Parses what was given and checks that it makes sense together.
 *
 * @throws {UsageError} a value is wrong, an option is given twice, or options contradict each other;
 * the message names them as the user wrote them.
 */
export function resolve<R extends Rows>(
  rows: R,
  given: GivenTexts,
): { settings: SettingsOf<R>; given: ReadonlySet<keyof R & string> } {
  const settings: Record<string, unknown> = { ...defaultSettings(rows) };
  for (const [key, { texts, source }] of given) {
    const row = rows[key];
    if (row === undefined) throw new TypeError(`no option has the key ${key}`);
    if (row.presence !== "repeatable" && texts.length > 1) {
      throw new UsageError(
        `${source} is given ${texts.length} times (${texts.join(", ")}); once is all`,
      );
    }
    const values = texts.map((text) => parseValue(row, text, source));
    settings[key] = row.presence === "repeatable" ? values : values[0];
  }
  checkTogether(rows, settings, given);
  return {
    settings: settings as SettingsOf<R>,
    given: new Set([...given.keys()] as (keyof R & string)[]),
  };
}

function parseValue(row: AnyRow, text: string, source: string): unknown {
  try {
    return row.kind.parse(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${source}: ${messageOf(error)}`, { cause: error });
  }
}

function checkTogether(rows: Rows, settings: Record<string, unknown>, given: GivenTexts): void {
  const called = (reference: Reference) => {
    const { key, value } = parseReference(reference);
    const source = given.get(key)?.source ?? `--${rows[key]?.name}`;
    return value === undefined ? source : `${source} ${value}`;
  };
  for (const [key, { source }] of given) {
    const row = rows[key];
    if (row === undefined || !isSet(row, settings[key])) continue;
    const conflict = conflictOf(row, rows, settings);
    if (conflict !== undefined) {
      throw new UsageError(`${source} and ${called(conflict)} contradict each other; drop one`);
    }
    if (!hasRequired(row, rows, settings)) {
      throw new UsageError(
        `${source} has no effect without ${oneOf(row.requires?.map(called) ?? [])}`,
      );
    }
  }
}

/**
 * Checks that each option given applies to at least one of the endpoints.
 *
 * @throws {UsageError} one of them does not; the message names the schemes that have it.
 */
export function checkForSchemes<R extends Rows>(
  rows: R,
  commandLine: { settings: SettingsOf<R>; given: ReadonlySet<keyof R & string> },
  schemes: readonly string[],
): void {
  for (const key of commandLine.given) {
    const row = rows[key];
    const value = commandLine.settings[key];
    if (row === undefined || !isSet(row, value)) continue;
    const text = row.presence === "repeatable" ? "" : row.kind.format(value);
    const restrictedTo = row.schemesOfValue?.[text];
    const fitting = restrictedTo ?? row.schemes;
    if (fitting === undefined || fitting.some((scheme) => schemes.includes(scheme))) continue;
    throw new UsageError(
      `--${row.name}${restrictedTo === undefined ? "" : ` ${text}`} applies to ` +
        `${oneOf(fitting)} endpoints, not to ${oneOf([...new Set(schemes)])}`,
    );
  }
}
