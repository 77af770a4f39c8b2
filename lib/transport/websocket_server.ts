import { UsageError } from "../errors.ts";
import { loadCertificate } from "./certificates.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { listenError } from "./listen_error.ts";
import { codeOf } from "./native_failure.ts";
import type { ListenSettings } from "./transport.ts";

/** What `Bun.serve` is given, besides where to listen. */
export interface ServeHandlers {
  fetch(request: Request, server: Bun.Server<number>): Response | undefined;
  websocket: Bun.WebSocketHandler<number>;
}

/**
 * Binds the endpoint with `Bun.serve`; an empty host means every address, IPv6 and IPv4.
 *
 * @throws {HostLimitError} the endpoint cannot be bound.
 * @throws {UsageError} a wss endpoint without a certificate.
 * @throws {FileError} its certificate cannot be used.
 */
export function bindWebSocketServer(
  endpoint: Endpoint,
  settings: ListenSettings,
  handlers: ServeHandlers,
): Bun.Server<number> {
  const options = {
    ...handlers,
    port: endpoint.port,
    reusePort: settings.reusePort,
    development: false,
    // For clients that connect and never ask for an upgrade, in seconds.
    idleTimeout: 10,
    maxRequestBodySize: 1024,
    ...tlsOptions(endpoint, settings),
  };
  if (endpoint.host !== "") return serve({ ...options, hostname: endpoint.host }, endpoint);
  try {
    // Takes IPv4 as well (RFC 3493, section 5.3).
    return Bun.serve<number>({ ...options, hostname: "::" });
  } catch (error) {
    const code = codeOf(error);
    if (code !== "EAFNOSUPPORT" && code !== "EADDRNOTAVAIL") throw listenError(endpoint, error);
    return serve({ ...options, hostname: "0.0.0.0" }, endpoint);
  }
}

function serve(
  options: ServeHandlers & { hostname: string; port: number },
  endpoint: Endpoint,
): Bun.Server<number> {
  try {
    return Bun.serve<number>(options);
  } catch (error) {
    throw listenError(endpoint, error);
  }
}

function tlsOptions(endpoint: Endpoint, settings: ListenSettings): { tls?: Bun.TLSOptions } {
  if (endpoint.scheme !== "wss") return {};
  if (settings.certificate === undefined) {
    throw new UsageError(`${formatEndpoint(endpoint)} needs a certificate and its key; got none`);
  }
  const { cert, key } = loadCertificate(settings.certificate.cert, settings.certificate.key);
  return { tls: { cert, key } };
}
