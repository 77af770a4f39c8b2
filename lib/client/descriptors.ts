import { ensureFds } from "../host/limits.ts";
import type { Scheme } from "../transport/endpoint.ts";
import type { ClientSettings } from "./options.ts";

/**
 * Sees to it before the run that this process can hold its connections.
 *
 * @throws {HostLimitError} it cannot; the message says how many it can and what raises the limit.
 */
export function requireDescriptors(scheme: Scheme, settings: ClientSettings): void {
  const perSocket = scheme === "quic" ? settings.connectionsPerSocket : 1;
  ensureFds(Math.ceil(settings.connections / perSocket));
}
