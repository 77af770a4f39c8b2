/** Real programs that tests talk to. */
import { test } from "bun:test";
import process from "node:process";

/**
 * `test`, for a test that needs programs from outside. Where one is not installed the test is
 * reported as skipped, with the program in its name; in CI, which installs them all, it fails.
 */
export function testWith(programs: readonly string[]): typeof test {
  const missing = programs.filter((program) => Bun.which(program, { PATH: searchPath }) === null);
  if (missing.length === 0) return test;
  const needs = `(needs ${missing.join(", ")})`;
  const declare = process.env["CI"] === undefined ? test.skip : failing;
  const named = (name: string, run: () => void) => declare(`${name} ${needs}`, run);
  return named as unknown as typeof test;
}

/** Servers are often installed where a user's path does not look. */
export const searchPath = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin:/usr/local/sbin`;

function failing(name: string, _run: () => void): void {
  test(name, () => {
    throw new Error("a program that this test needs is not installed; .ci/run should install it");
  });
}
