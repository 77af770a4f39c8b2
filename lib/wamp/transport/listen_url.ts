import { UsageError } from "../../errors.ts";
import { type Endpoint, parseEndpoint } from "../../transport/endpoint.ts";

/** Where a router listens: `ws://host:port/path` or `rs://host:port` (rawsocket over TCP). */
export interface ListenUrl {
  readonly kind: "websocket" | "rawsocket";
  /** ws, or tcp for a rawsocket. */
  readonly endpoint: Endpoint;
}

const defaultRawSocketPort = 8080;

/**
 * Reads an address to listen on; an empty host is every address, port 0 lets the kernel choose.
 *
 * @throws {UsageError} another scheme, or what `parseEndpoint` says.
 */
export function parseListenUrl(text: string): ListenUrl {
  const scheme = /^([a-z]+):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === "ws") return { kind: "websocket", endpoint: parseEndpoint(text) };
  if (scheme === "rs") {
    const parsed = parseEndpoint(text.replace(/^rs/i, "tcp"));
    const hasPort = /^rs:\/\/(\[[^\]]*\]|[^:/?#]*):/i.test(text);
    const port = hasPort ? parsed.port : defaultRawSocketPort;
    return { kind: "rawsocket", endpoint: { ...parsed, port, lastPort: port } };
  }
  throw new UsageError(
    `${JSON.stringify(text)} is nothing that a WAMP router listens on; write ` +
      `ws://host:port/path or rs://host:port (rawsocket)`,
  );
}

/** As it is written, with the port that is bound. */
export function formatListenUrl({ kind, endpoint }: ListenUrl, port = endpoint.port): string {
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  return kind === "websocket" ? `ws://${host}:${port}${endpoint.path}` : `rs://${host}:${port}`;
}
