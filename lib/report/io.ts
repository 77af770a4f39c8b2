/**
 * Where a subcommand reads and writes. `lib/cli/` makes one of the terminal; tests make one that
 * collects. Nothing below `lib/cli/` touches the process's own streams.
 */
export interface Io {
  /** A line of the result: stdout. */
  out(line: string): void;
  /** A line about the run, progress or warning: stderr. */
  note(line: string): void;
  /** Replaces the previous live line where there is a terminal; does nothing elsewhere. */
  live(line: string): void;
  readonly isTerminal: boolean;
  /** All of standard input, as text. */
  readStdin(): Promise<string>;
  /** Writes bytes of a result to stdout, in order with `out` (for `--csv -`). */
  write(bytes: Uint8Array): void;
}
