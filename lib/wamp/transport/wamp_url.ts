import { UsageError } from "../../errors.ts";
import { type Endpoint, parseEndpoint } from "../../transport/endpoint.ts";
import type { CertificatePair } from "../../transport/transport.ts";

/** A URL of WAMP: of a WebSocket (`ws://`, `wss://`) or of a rawsocket (`rs://`, `rss://` over TLS). */
export interface WampUrl {
  readonly kind: "websocket" | "rawsocket";
  /** What is below: ws, wss, or tcp or tls for a rawsocket. */
  readonly endpoint: Endpoint;
}

/** Schemes of connections over TLS. */
export const secureWampSchemes = ["wss", "rss"] as const;

/** By scheme of what is below. */
const defaultRawSocketPorts = { tcp: 8080, tls: 8443 } as const;

/**
 * @returns undefined for a text with another scheme.
 * @throws {UsageError} what `parseEndpoint` says.
 */
export function parseWampUrl(text: string): WampUrl | undefined {
  const [, scheme = "", , colon] = /^([a-z]+):\/\/(\[[^\]]*\]|[^:/?#]*)(:)?/i.exec(text) ?? [];
  switch (scheme.toLowerCase()) {
    case "ws":
    case "wss":
      return { kind: "websocket", endpoint: parseEndpoint(text) };
    case "rs":
    case "rss": {
      const below = scheme.length === 3 ? "tls" : "tcp";
      const parsed = parseEndpoint(text.replace(scheme, below));
      const port = colon === undefined ? defaultRawSocketPorts[below] : parsed.port;
      return { kind: "rawsocket", endpoint: { ...parsed, port, lastPort: port } };
    }
    default:
      return undefined;
  }
}

/** The scheme of a URL of WAMP. */
export function schemeOf({ kind, endpoint }: WampUrl): string {
  if (kind === "websocket") return endpoint.scheme;
  return endpoint.scheme === "tls" ? "rss" : "rs";
}

/**
 * What a listener at this URL needs for TLS.
 *
 * @throws {UsageError} it has TLS, and there is no certificate.
 */
export function tlsOptionOf(
  url: WampUrl,
  certificate: CertificatePair | undefined,
): { tls?: CertificatePair } {
  if (!isSecure(url)) return {};
  if (certificate !== undefined) return { tls: certificate };
  throw new UsageError(`${schemeOf(url)}:// needs a certificate and its key; got none`);
}

/** Whether connections to it have TLS. */
export function isSecure(url: WampUrl): boolean {
  return secureWampSchemes.some((scheme) => scheme === schemeOf(url));
}
