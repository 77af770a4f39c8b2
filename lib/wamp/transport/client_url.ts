import { UsageError } from "../../errors.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "../../transport/endpoint.ts";

/** Where a WAMP client connects to: `ws://`, `wss://` or `rs://` (rawsocket over TCP). */
export interface ClientUrl {
  readonly kind: "websocket" | "rawsocket";
  /** What is below: ws, wss, or tcp for a rawsocket. */
  readonly endpoint: Endpoint;
  /** As it was written. */
  readonly text: string;
}

const defaultRawSocketPort = 8080;

/**
 * Reads the URL of a router.
 *
 * @throws {UsageError} another scheme, no port that a client can connect to, a path on a rawsocket.
 */
export function parseClientUrl(text: string): ClientUrl {
  const scheme = /^([a-z]+):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== "ws" && scheme !== "wss" && scheme !== "rs") {
    throw new UsageError(
      `${JSON.stringify(text)} is no URL of a WAMP router; write ws://host:port/path, ` +
        `wss://host:port/path or rs://host:port (rawsocket)`,
    );
  }
  const isRaw = scheme === "rs";
  const parsed = parseEndpoint(isRaw ? text.replace(/^rs/i, "tcp") : text);
  const hasPort = /^[a-z]+:\/\/(\[[^\]]*\]|[^:/?#]*):/i.test(text);
  const port = isRaw && !hasPort ? defaultRawSocketPort : parsed.port;
  const endpoint = { ...parsed, port, lastPort: port };
  if (port === 0) {
    throw new UsageError(`${JSON.stringify(text)} has port 0, which no router listens on`);
  }
  return { kind: isRaw ? "rawsocket" : "websocket", endpoint, text };
}

/** The URL with its port, for reports. */
export function formatClientUrl({ kind, endpoint }: ClientUrl): string {
  const text = formatEndpoint(endpoint);
  return kind === "rawsocket" ? text.replace(/^tcp/, "rs") : text;
}
