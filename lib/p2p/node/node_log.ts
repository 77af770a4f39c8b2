/** What a node tells, from 1: each level with those before it. */
export const logLevels = ["error", "warn", "info", "debug", "trace"] as const;

export type LogLevel = (typeof logLevels)[number];

/** The highest verbosity. */
export const mostVerbose = logLevels.length;

/** Tells what the user wants to know. */
export class NodeLog {
  constructor(
    /** 0: nothing, up to `mostVerbose`. */
    private readonly verbosity: number,
    private readonly note: (line: string) => void,
  ) {}

  /** Whether lines of this level are told. */
  tells(level: LogLevel): boolean {
    return this.verbosity > logLevels.indexOf(level);
  }

  tell(level: LogLevel, line: string): void {
    if (this.tells(level)) this.note(`${level}: ${line}`);
  }
}
