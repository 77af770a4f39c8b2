import {
  exitCodes,
  HoldfastError,
  HostLimitError,
  messageOf,
  TargetUnreachableError,
  UsageError,
} from "../errors.ts";
import type { WorkerError } from "./messages.ts";

export function packError(error: unknown): WorkerError {
  return {
    message: messageOf(error),
    exitCode: error instanceof HoldfastError ? error.exitCode : exitCodes.internal,
  };
}

/** The error as it was thrown in the worker, but for its stack and cause. */
export function unpackError({ message, exitCode }: WorkerError): Error {
  switch (exitCode) {
    case exitCodes.usage:
      return new UsageError(message);
    case exitCodes.targetUnreachable:
      return new TargetUnreachableError(message);
    case exitCodes.hostLimit:
      return new HostLimitError(message);
    default:
      return new Error(message);
  }
}
