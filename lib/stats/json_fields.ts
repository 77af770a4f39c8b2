import { FileError } from "../errors.ts";

/** An object out of parsed JSON, whose fields are not known to be right yet. */
export interface Fields {
  readonly [key: string]: unknown;
}

/** @throws {FileError} the value is no object. */
export function asObject(value: unknown, what: string): Fields {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new FileError(`${what} is ${describe(value)}; an object was expected`);
}

function fail(key: string, value: unknown, expected: string): never {
  throw new FileError(
    `the snapshot's field ${JSON.stringify(key)} is ${describe(value)}; ${expected} was expected`,
  );
}

function describe(value: unknown): string {
  return value === undefined ? "missing" : (JSON.stringify(value) ?? String(value)).slice(0, 60);
}

/** A number; `null` stands for one that does not exist. */
export function number(fields: Fields, key: string): number {
  const value = fields[key];
  if (typeof value === "number") return value;
  return value === null ? NaN : fail(key, value, "a number");
}

export function numbers<Key extends string>(
  fields: Fields,
  keys: readonly Key[],
): Record<Key, number> {
  return Object.fromEntries(keys.map((key) => [key, number(fields, key)])) as Record<Key, number>;
}

/** A field that older snapshots do not have, and others need not have. */
export function optional<Key extends string, Value>(
  fields: Fields,
  key: Key,
  readValue: (fields: Fields, key: string) => Value,
): { [Name in Key]?: Value } {
  const found = fields[key] === undefined ? {} : { [key]: readValue(fields, key) };
  return found as { [Name in Key]?: Value };
}

export function text(fields: Fields, key: string): string {
  const value = fields[key];
  return typeof value === "string" ? value : fail(key, value, "a text");
}

export function boolean(fields: Fields, key: string): boolean {
  const value = fields[key];
  return typeof value === "boolean" ? value : fail(key, value, "true or false");
}

export function choice<Choice extends string>(
  fields: Fields,
  key: string,
  choices: readonly Choice[],
): Choice {
  const found = choices.find((each) => each === fields[key]);
  return found ?? fail(key, fields[key], `one of ${choices.join(", ")}`);
}

export function object(fields: Fields, key: string): Fields {
  return asObject(fields[key], `the snapshot's field ${JSON.stringify(key)}`);
}

/** A list of objects. */
export function list(fields: Fields, key: string): Fields[] {
  const value = fields[key];
  if (!Array.isArray(value)) return fail(key, value, "a list");
  return value.map((each) => asObject(each, `an entry of the snapshot's list ${key}`));
}

export function texts(fields: Fields, key: string): string[] {
  const value = fields[key];
  if (Array.isArray(value) && value.every((each) => typeof each === "string")) return value;
  return fail(key, value, "a list of texts");
}

/** An object with names that are not known beforehand. */
export function record<Value>(
  fields: Fields,
  key: string,
  readValue: (fields: Fields, key: string) => Value,
): Record<string, Value> {
  const values = object(fields, key);
  return Object.fromEntries(Object.keys(values).map((name) => [name, readValue(values, name)]));
}
