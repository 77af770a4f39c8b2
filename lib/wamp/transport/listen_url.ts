import { UsageError } from "../../errors.ts";
import { parseWampUrl, schemeOf, type WampUrl } from "./wamp_url.ts";

/** Where a router listens: `ws://host:port/path`, `rs://host:port` (rawsocket), `wss://` or `rss://`. */
export type ListenUrl = WampUrl;

/**
 * Reads an address to listen on; an empty host is every address, port 0 lets the kernel choose.
 *
 * @throws {UsageError} another scheme, or what `parseEndpoint` says.
 */
export function parseListenUrl(text: string): ListenUrl {
  const url = parseWampUrl(text);
  if (url !== undefined) return url;
  throw new UsageError(
    `${JSON.stringify(text)} is nothing that a WAMP router listens on; write ` +
      `ws://host:port/path, rs://host:port (rawsocket), or wss:// and rss:// (over TLS)`,
  );
}

/** As it is written, with the port that is bound. */
export function formatListenUrl(url: ListenUrl, port = url.endpoint.port): string {
  const { host, path } = url.endpoint;
  const shown = host.includes(":") ? `[${host}]` : host;
  return `${schemeOf(url)}://${shown}:${port}${url.kind === "websocket" ? path : ""}`;
}
