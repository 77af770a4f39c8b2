import { UsageError } from "../../errors.ts";
import { formatEndpoint } from "../../transport/endpoint.ts";
import { parseWampUrl, schemeOf, type WampUrl } from "./wamp_url.ts";

/** Where a WAMP client connects to: `ws://`, `wss://`, `rs://` (rawsocket) or `rss://` (over TLS). */
export interface ClientUrl extends WampUrl {
  /** As it was written. */
  readonly text: string;
}

/**
 * Reads the URL of a router.
 *
 * @throws {UsageError} another scheme, no port that a client can connect to, a path on a rawsocket.
 */
export function parseClientUrl(text: string): ClientUrl {
  const url = parseWampUrl(text);
  if (url === undefined) {
    throw new UsageError(
      `${JSON.stringify(text)} is no URL of a WAMP router; write ws://host:port/path, ` +
        `wss://host:port/path, rs://host:port (rawsocket) or rss://host:port (over TLS)`,
    );
  }
  if (url.endpoint.port === 0) {
    throw new UsageError(`${JSON.stringify(text)} has port 0, which no router listens on`);
  }
  return { ...url, text };
}

/** The URL with its port, for reports. */
export function formatClientUrl(url: ClientUrl): string {
  return formatEndpoint(url.endpoint).replace(/^[a-z]+/, schemeOf(url));
}
