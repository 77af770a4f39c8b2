/**
 * How a value is written on the command line and in the environment.
 *
 * `parse(format(value))` gives the value back, for every value that `parse` can give: help, the
 * reference and `/stats` show what a user could have typed.
 */
export interface Kind<T> {
  /** Stands for the value in help (`--rate <n>`); empty where an option takes no value. */
  readonly placeholder: string;
  /**
   * @throws {UsageError} what came and what was expected; the caller puts the option's name before
   * it.
   */
  parse(text: string): T;
  format(value: T): string;
}

/** A text as it appears in messages. */
export function quote(text: string): string {
  return JSON.stringify(text);
}

/** `a`, `a or b`, `a, b or c`. */
export function oneOf(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} or ${words[words.length - 1]}`;
}
