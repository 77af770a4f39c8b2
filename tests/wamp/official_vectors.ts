/** The official test vectors of WAMP, which are no part of this project. */
import { test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/** Where `.ci/wamp_vectors.py` puts them; or a folder with those of the specification's repository. */
const fetched = join(import.meta.dir, "../../.wamp-vectors");
const folder = existsSync(fetched) ? fetched : process.env["HOLDFAST_WAMP_VECTORS"];

/** The text of every file whose path matches; by path. */
export function vectorFiles(pattern: string): ReadonlyMap<string, string> {
  const paths = [...new Bun.Glob(pattern).scanSync(folder!)].sort();
  return new Map(paths.map((path) => [path, readFileSync(join(folder!, path), "utf8")]));
}

/** `test`, for a test that needs the vectors: without them it is skipped, and fails in CI. */
export const testWithVectors: typeof test = folder !== undefined ? test : missing();

function missing(): typeof test {
  const needs = "(needs the vectors: python3 .ci/wamp_vectors.py .wamp-vectors)";
  const declare = (name: string, run: () => void) =>
    process.env["CI"] === undefined
      ? test.skip(`${name} ${needs}`, run)
      : test(`${name} ${needs}`, () => {
        throw new Error(".ci/run should have fetched the vectors");
      });
  return declare as unknown as typeof test;
}
