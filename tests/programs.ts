/** Real programs that tests talk to. */
import { test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { crossbar } from "./interop/crossbar_program.ts";

/** Servers are often installed where a user's path does not look. */
export const searchPath = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin:/usr/local/sbin`;

interface PythonModule {
  readonly interpreter: string;
  readonly module: string;
}

/** Modules of Python, by the name of what has to be installed: a Debian package, or one of PyPI. */
const pythonModules: Readonly<Record<string, PythonModule>> = {
  "python3-websockets": { interpreter: "/usr/bin/python3", module: "websockets" },
  // In the virtual environment that .ci/run makes.
  autobahn: { interpreter: join(import.meta.dir, "../.venv/bin/python"), module: "autobahn" },
  aioquic: { interpreter: join(import.meta.dir, "../.venv/bin/python"), module: "aioquic" },
};

/** The interpreter that has a module of `pythonModules`. */
export function pythonWith(name: string): string {
  const known = pythonModules[name];
  if (known === undefined) throw new Error(`tests/programs.ts does not list ${name}`);
  return known.interpreter;
}

/**
 * `test`, for a test that needs programs from outside. Where one is not installed the test is
 * reported as skipped, with the program in its name; in CI, which installs them all, it fails.
 */
export function testWith(programs: readonly string[]): typeof test {
  const missing = programs.filter((program) => !isInstalled(program));
  if (missing.length === 0) return test;
  const needs = `(needs ${missing.join(", ")})`;
  const declare = process.env["CI"] === undefined ? test.skip : failing;
  const named = (name: string, run: () => void) => declare(`${name} ${needs}`, run);
  return named as unknown as typeof test;
}

const found = new Map<string, boolean>();

function isInstalled(program: string): boolean {
  let isFound = found.get(program);
  if (isFound === undefined) {
    const python = pythonModules[program];
    if (python !== undefined) isFound = hasModule(python);
    else if (program === "crossbar") isFound = existsSync(crossbar);
    else isFound = Bun.which(program, { PATH: searchPath }) !== null;
    found.set(program, isFound);
  }
  return isFound;
}

function hasModule({ interpreter, module }: PythonModule): boolean {
  if (Bun.which(interpreter) === null) return false;
  return Bun.spawnSync([interpreter, "-c", `import ${module}`]).exitCode === 0;
}

function failing(name: string, _run: () => void): void {
  test(name, () => {
    throw new Error("a program that this test needs is not installed; .ci/run should install it");
  });
}
