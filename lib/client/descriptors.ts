import { HostLimitError } from "../errors.ts";
import { fdLimits } from "../host/libc.ts";
import { ensureFds, reservedFds } from "../host/limits.ts";
import { mostWorkers } from "../options/workers.ts";
import type { Scheme } from "../transport/endpoint.ts";
import type { ClientSettings } from "./options.ts";

/**
 * Sees to it before the run that this process can hold its connections.
 *
 * @throws {HostLimitError} it cannot; the message says how many it can, what raises the limit, and
 * how many processes could do it together.
 */
export function requireDescriptors(scheme: Scheme, settings: ClientSettings): void {
  try {
    ensureFds(socketsOf(scheme, settings));
  } catch (cause) {
    const needed = processesForDescriptors(scheme, settings);
    if (!(cause instanceof HostLimitError) || needed > mostWorkers) throw cause;
    throw new HostLimitError(
      `${cause.message}, or share them among processes with --workers ${needed}`,
      { cause },
    );
  }
}

/**
 * How many processes can hold the connections together, each with a limit like that of this one,
 * which is raised as far as it may be; Infinity: no number of them.
 */
export function processesForDescriptors(scheme: Scheme, settings: ClientSettings): number {
  const sockets = socketsOf(scheme, settings);
  try {
    ensureFds(sockets);
    return 1;
  } catch (error) {
    if (!(error instanceof HostLimitError)) throw error;
    const each = fdLimits().soft - reservedFds;
    return each > 0 ? Math.ceil(sockets / each) : Infinity;
  }
}

function socketsOf(scheme: Scheme, settings: ClientSettings): number {
  const perSocket = scheme === "quic" ? settings.connectionsPerSocket : 1;
  return Math.ceil(settings.connections / perSocket);
}
