/** Exit codes of the executable. Each typed error below carries the one it leads to. */
export const exitCodes = {
  ok: 0,
  expectationFailed: 1,
  usage: 2,
  invalidRun: 3,
  targetUnreachable: 4,
  hostLimit: 5,
  /** A bug in holdfast itself. */
  internal: 70,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/**
 * An error that a user can act on. The message is one line: what came, what was expected, what to
 * do next. `exitCode` is what the executable ends with when nothing handles the error.
 */
export abstract class HoldfastError extends Error {
  abstract readonly exitCode: ExitCode;

  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The command line, an environment variable or an input file says something that cannot be. */
export class UsageError extends HoldfastError {
  readonly exitCode = exitCodes.usage;
}

/** A file cannot be read, written or understood. */
export class FileError extends HoldfastError {
  readonly exitCode = exitCodes.usage;
}

/** The target does not resolve, refuses every connection, or speaks another protocol. */
export class TargetUnreachableError extends HoldfastError {
  readonly exitCode = exitCodes.targetUnreachable;
}

/** This host refuses what was asked: a port in use, descriptors, ports or memory used up. */
export class HostLimitError extends HoldfastError {
  readonly exitCode = exitCodes.hostLimit;
}

/** A signal ended the program before it had anything to report. */
export class InterruptedError extends HoldfastError {
  readonly exitCode = exitCodes.interrupted;
}

/** The message of anything that was thrown, in one line. */
export function messageOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return text.split("\n", 1)[0] ?? "";
}

/** What was thrown, as an error: libraries take no other reason, and anything can be thrown. */
export function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
