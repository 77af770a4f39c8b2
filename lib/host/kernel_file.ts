import { readFileSync } from "node:fs";

/** What a file of `/proc` or `/sys` says; "" where it is not there or may not be read. */
export function contentOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

/** Undefined for what is no whole number, such as the `max` of an unlimited control group. */
export function parseWhole(text: string): number | undefined {
  return /^\s*\d{1,18}\s*$/.test(text) ? Number(text) : undefined;
}

/** Whole numbers with space between them; undefined unless there are exactly `count`. */
export function parseWholes(text: string, count: number): number[] | undefined {
  const words = text.trim().split(/\s+/);
  if (words.length !== count || !words.every((word) => /^\d{1,18}$/.test(word))) return undefined;
  return words.map(Number);
}

/** A setting of the kernel by its name, `net.core.somaxconn`; "" where there is none. */
export function sysctlText(name: string): string {
  return contentOf(sysctlPath(name));
}

/** The same where it is one number. */
export function sysctlNumber(name: string): number | undefined {
  return parseWhole(sysctlText(name));
}

/** Where a setting is read and written. */
export function sysctlPath(name: string): string {
  return `/proc/sys/${name.replaceAll(".", "/")}`;
}
