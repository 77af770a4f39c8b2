/**
 * holdfast as a library. Run directly, it is the command line.
 *
 * A subcommand takes a `CommandLine` (`commandLineOf` makes one without a command line), an `Io` to
 * report to and a signal to end it:
 *
 * ```ts
 * const target = commandLineOf(clientRows, ["tcp://localhost:4242"], { ratePerSecond: 1000 });
 * const exitCode = await runClient(target, io, new AbortController().signal);
 * ```
 *
 * @module
 */
export * from "./lib/errors.ts";

export { clientRows, type ClientSettings } from "./lib/client/options.ts";
export { run as runClient } from "./lib/client/run.ts";
export { defaultEndpoints, serverRows, type ServerSettings } from "./lib/server/options.ts";
export { run as runServer } from "./lib/server/run.ts";

export { type CommandLine, commandLineOf } from "./lib/options/command_line.ts";
export { givenByEnvironment, type GivenText, resolve } from "./lib/options/resolve.ts";
export type { Kind } from "./lib/options/kind.ts";
export { type Row, row, type Rows, type SettingsOf } from "./lib/options/row.ts";

export type { Codec } from "./lib/codec/codec.ts";
export type { Io } from "./lib/report/io.ts";
export type { Failure, FailureKind } from "./lib/stats/failure.ts";
export type * from "./lib/stats/snapshot.ts";
export {
  type Endpoint,
  formatEndpoint,
  parseEndpoint,
  type Scheme,
} from "./lib/transport/endpoint.ts";
export { transports } from "./lib/transport/registry.ts";
export type * from "./lib/transport/transport.ts";

if (import.meta.main) {
  const { start } = await import("./lib/cli/start.ts");
  await start();
}
