import type { ExitCode } from "../errors.ts";
import type { CommandLine } from "../options/command_line.ts";
import type { Rows, SettingsOf } from "../options/row.ts";
import type { Io } from "../report/io.ts";

/** What a subcommand's `run.ts` exports. */
export interface Runnable<R extends Rows> {
  run(commandLine: CommandLine<SettingsOf<R>>, io: Io, signal: AbortSignal): Promise<ExitCode>;
}

/** The arguments that are not options. */
export interface Arguments {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  /** One as a user would write it; needed where there is no doing without. */
  readonly example?: string;
  /** Lines of help. */
  readonly summary: readonly string[];
}

/** A real command line and what it is for. */
export interface Example {
  readonly purpose: string;
  readonly line: string;
}

/** A subcommand as the command line sees it. */
export interface Command<R extends Rows = Rows> {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly arguments: Arguments;
  readonly rows: R;
  readonly examples: readonly Example[];
  /** Loads the code, which help and errors in the command line do not need. */
  load(): Promise<Runnable<R>>;
}
