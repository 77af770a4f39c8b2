import type { CommandLine } from "../options/command_line.ts";
import { checkForSchemes } from "../options/resolve.ts";
import type { SettingsOf } from "../options/row.ts";
import { connectionRows } from "./connection_rows.ts";
import { loadRows } from "./load_rows.ts";
import { messageRows } from "./message_rows.ts";
import { rampRows } from "./ramp_rows.ts";
import { resultRows } from "./result_rows.ts";
import { securityRows } from "./security_rows.ts";
import { timeRows } from "./time_rows.ts";

/** The options of `holdfast client`, in the order of help. */
export const clientRows = {
  ...connectionRows,
  ...rampRows,
  ...loadRows,
  ...timeRows,
  ...messageRows,
  ...securityRows,
  ...resultRows,
};

export type ClientSettings = SettingsOf<typeof clientRows>;

/**
 * Checks that every option given has a meaning on endpoints of this scheme.
 *
 * @throws {UsageError} one of them has none.
 */
export function checkForScheme(
  scheme: string,
  commandLine: Pick<CommandLine<ClientSettings>, "settings" | "given">,
): void {
  checkForSchemes(clientRows, commandLine, [scheme]);
}
