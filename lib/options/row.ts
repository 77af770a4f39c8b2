import type { Kind } from "./kind.ts";
import type { Reference } from "./reference.ts";

/**
 * An option, declared once: parsing, help, environment variable, the README's reference and the
 * settings in `/stats` all read it.
 */
export interface Declaration<T> {
  /** Without dashes: `connect-rate`. The environment variable is `HOLDFAST_CONNECT_RATE`. */
  readonly name: string;
  /** The name of its environment variable, where it is not the usual one. */
  readonly environment?: string;
  /** One letter. */
  readonly short?: string;
  readonly kind: Kind<T>;
  /** In help, instead of the kind's own. */
  readonly placeholder?: string;
  /** Heading in help and in the reference. */
  readonly category: string;
  /** One line, at most 79 columns, without a full stop. */
  readonly summary: string;
  /** What the option means when it is given without a value; without this it needs one. */
  readonly bare?: NoInfer<T>;
  /** What an option without a default amounts to when it is not given, in words. */
  readonly otherwise?: string;
  /** Not together with any of these; said on one side only. */
  readonly conflicts?: readonly Reference[];
  /** Only together with at least one of these. */
  readonly requires?: readonly Reference[];
  /** Only for endpoints with one of these schemes. */
  readonly schemes?: readonly string[];
  /** The same, where it depends on the value (as it is written). */
  readonly schemesOfValue?: Readonly<Record<string, readonly string[]>>;
}

/** Setting is `T | undefined`. */
export interface OptionalRow<T> extends Declaration<T> {
  readonly presence: "optional";
}

/** Setting is `T`. */
export interface DefaultedRow<T> extends Declaration<T> {
  readonly presence: "defaulted";
  readonly default: T;
}

/** May be given more than once; setting is `readonly T[]`. */
export interface RepeatableRow<T> extends Declaration<T> {
  readonly presence: "repeatable";
}

export type Row<T> = OptionalRow<T> | DefaultedRow<T> | RepeatableRow<T>;

// deno-lint-ignore no-explicit-any
export type AnyRow = Row<any>;

/** The options of a subcommand by setting; the keys carry the units (`timeoutMs`). */
export type Rows = Readonly<Record<string, AnyRow>>;

/** What the rows of a table come to once they are parsed. */
export type SettingsOf<R extends Rows> = {
  readonly [K in keyof R]: R[K] extends DefaultedRow<infer T> ? T
    : R[K] extends RepeatableRow<infer T> ? readonly T[]
    : R[K] extends OptionalRow<infer T> ? T | undefined
    : never;
};

/** Declares an option. */
export function row<T>(declaration: Declaration<T> & { repeatable: true }): RepeatableRow<T>;
export function row<T>(declaration: Declaration<T> & { default: NoInfer<T> }): DefaultedRow<T>;
export function row<T>(declaration: Declaration<T>): OptionalRow<T>;
export function row<T>(
  { repeatable, default: standard, ...declaration }: Declaration<T> & {
    repeatable?: true;
    default?: T;
  },
): Row<T> {
  if (repeatable) return { ...declaration, presence: "repeatable" };
  if (standard !== undefined) return { ...declaration, presence: "defaulted", default: standard };
  return { ...declaration, presence: "optional" };
}

/** Whether the option takes no value. */
export function isFlag(row: AnyRow): boolean {
  return row.kind.placeholder === "";
}

/** Whether the option can be given with a value and without. */
export function hasBare(row: AnyRow): boolean {
  return row.bare !== undefined;
}

/** The name of the environment variable that sets the option. */
export function environmentName(row: AnyRow): string {
  return row.environment ?? `HOLDFAST_${row.name.toUpperCase().replaceAll("-", "_")}`;
}
