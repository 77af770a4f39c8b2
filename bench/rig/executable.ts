import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";

const root = join(import.meta.dir, "../..");

/**
 * What is measured: the compiled executable, never the source. Tests of a benchmark, which measure
 * nothing, name another one in the environment.
 */
export const executable = process.env["HOLDFAST_BENCH_EXECUTABLE"] ?? join(root, "dist/holdfast");

/** @throws {Error} it was not compiled. */
export function requireExecutable(): void {
  if (existsSync(executable)) return;
  throw new Error(`${executable} is missing; make it with: npx -y deno task compile`);
}

/** A command line with the executable as one calls it from the project's folder. */
export function asTyped(command: readonly string[]): string[] {
  return command.map((word) => word === executable ? relative(root, executable) : word);
}
