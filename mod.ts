/**
 * holdfast as a library; run directly, it is the command line.
 *
 * @module
 */
export * from "./lib/errors.ts";

if (import.meta.main) {
  const { start } = await import("./lib/cli/start.ts");
  await start();
}
