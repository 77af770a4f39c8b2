import { transports } from "../transport/registry.ts";
import { Admission } from "./admission.ts";
import { serveEndpoints } from "./served_endpoints.ts";
import type { ServingSettings } from "./serving.ts";

/**
 * Checks that nobody else has the ports that workers are going to share: another server with workers
 * would share them too, and each would get a part of the connections. They are bound alone for a
 * moment. Ports that the kernel chooses are free, and those of QUIC are not shared.
 *
 * @throws {HostLimitError} one of them is taken.
 */
export async function requireFreePorts(of: ServingSettings): Promise<void> {
  const { settings, certificate } = of;
  if (settings.reusePort) return;
  const named = of.endpoints.filter(({ scheme, port }) => scheme !== "quic" && port !== 0);
  const served = await serveEndpoints(named, transports, {
    certificate,
    backlog: 1,
    reusePort: false,
    idleTimeoutMs: 0,
    maxMessageBytes: settings.maxMessageBytes,
    maxPendingBytes: settings.maxPendingBytes,
    alpn: settings.alpn,
    serverId: undefined,
    admission: new Admission(0),
    elapsedMs: () => 0,
    refused: () => {},
  });
  await Promise.all(served.map(({ listener }) => listener.shutdown()));
}
