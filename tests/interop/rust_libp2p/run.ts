/**
 * `deno task test:interop`: builds the node by rust-libp2p of this folder, and lets it talk to ours.
 * A task of its own: it needs cargo and its registry, and minutes for the first build.
 */
import { join } from "node:path";
import process from "node:process";
import { buildRustNode } from "./program.ts";

const root = join(import.meta.dir, "../../..");

try {
  await buildRustNode(true);
} catch (error) {
  console.error(`test:interop: ${(error as Error).message}`);
  process.exit(1);
}
const tests = Bun.spawn([process.execPath, "tests/run.ts", "tests/interop/rust_libp2p/"], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => tests.kill(signal));
}
process.exit(await tests.exited);
