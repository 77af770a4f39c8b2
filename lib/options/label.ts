import { UsageError } from "../errors.ts";
import { type Kind, quote } from "./kind.ts";

/** What a user calls a run; it appears in every result. */
export interface Label {
  readonly key: string;
  readonly value: string;
}

/** `key=value`; the value may be empty or contain `=`. */
export const label: Kind<Label> = {
  placeholder: "key=value",
  parse(text) {
    const match = /^([A-Za-z_][A-Za-z0-9_.-]*)=(.*)$/s.exec(text);
    if (match === null) {
      throw new UsageError(
        `${quote(text)} is not of the form key=value, with a key of letters, digits, _, . and -`,
      );
    }
    return { key: match[1] ?? "", value: match[2] ?? "" };
  },
  format: ({ key, value }) => `${key}=${value}`,
};

/**
 * Labels by key.
 *
 * @throws {UsageError} a key is there twice.
 */
export function labelRecord(labels: readonly Label[]): Record<string, string> {
  const byKey = new Map<string, string>();
  for (const { key, value } of labels) {
    const earlier = byKey.get(key);
    if (earlier !== undefined) {
      throw new UsageError(
        `--label: the key ${quote(key)} is given twice, as ${quote(earlier)} and ${quote(value)}`,
      );
    }
    byKey.set(key, value);
  }
  return Object.fromEntries(byKey);
}
