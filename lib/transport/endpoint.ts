import { UsageError } from "../errors.ts";

/** The transports that exist; the registry has a row for each. */
export const schemes = ["tcp", "tls", "udp", "ws", "wss", "quic"] as const;

export type Scheme = (typeof schemes)[number];

/** A transport and an address: `tcp://host:port`, `quic://host:first-last`, `ws://host:port/path`. */
export interface Endpoint {
  readonly scheme: Scheme;
  /** Name or address, IPv6 without brackets. Empty: every address (server), `localhost` (client). */
  readonly host: string;
  /** 0 on a server lets the kernel choose. */
  readonly port: number;
  /** Last port of a range; equals `port` where there is none. */
  readonly lastPort: number;
  /** Request target of a WebSocket, with its query; `/` elsewhere. */
  readonly path: string;
}

const defaultPorts: Record<Scheme, number> = {
  tcp: 4242,
  udp: 4242,
  tls: 4243,
  ws: 8080,
  wss: 8443,
  quic: 4433,
};

const pattern = /^([a-z][a-z0-9+.-]*):\/\/(\[[^\]]*\]|[^:/?#[\]]*)(?::([^:/?#]*))?([/?].*)?$/i;

/**
 * Reads an endpoint as written on the command line. A port that is left out is the transport's
 * default.
 *
 * @throws {UsageError} unknown scheme, port out of 0 to 65535, a range on anything but QUIC, a path
 * on anything but a WebSocket, a bare IPv6 address without brackets.
 */
export function parseEndpoint(text: string): Endpoint {
  const match = pattern.exec(text);
  if (match === null) {
    throw new UsageError(
      `endpoint ${JSON.stringify(text)} is not of the form scheme://host:port, ` +
        `for instance tcp://localhost:4242 (IPv6 addresses in brackets)`,
    );
  }
  const [, schemeText = "", hostText = "", portText, path = ""] = match;
  const scheme = schemes.find((name) => name === schemeText.toLowerCase());
  if (scheme === undefined) {
    throw new UsageError(
      `endpoint ${JSON.stringify(text)} has the unknown scheme ${JSON.stringify(schemeText)}; ` +
        `use one of ${schemes.join(", ")}`,
    );
  }
  const { port, lastPort } = portText === undefined
    ? { port: defaultPorts[scheme], lastPort: defaultPorts[scheme] }
    : parsePorts(portText, scheme, text);
  const isWebSocket = scheme === "ws" || scheme === "wss";
  if (!isWebSocket && path !== "" && path !== "/") {
    throw new UsageError(
      `endpoint ${JSON.stringify(text)} has the path ${JSON.stringify(path)}; ` +
        `only ws and wss endpoints have one`,
    );
  }
  return {
    scheme,
    host: hostText.startsWith("[") ? hostText.slice(1, -1) : hostText,
    port,
    lastPort,
    path: path.startsWith("/") ? path : `/${path}`,
  };
}

function parsePorts(portText: string, scheme: Scheme, text: string) {
  const [firstText = "", lastText, ...rest] = portText.split("-");
  const port = parsePort(firstText === "" ? portText : firstText, text);
  if (lastText === undefined) return { port, lastPort: port };
  if (scheme !== "quic") {
    throw new UsageError(
      `endpoint ${JSON.stringify(text)} has a range of ports; only quic endpoints have one`,
    );
  }
  const lastPort = parsePort(lastText, text);
  if (rest.length > 0 || lastPort < port || port === 0) {
    throw new UsageError(
      `endpoint ${JSON.stringify(text)} has the port range ${JSON.stringify(portText)}; ` +
        `write first-last with first ≤ last and both from 1 to 65535`,
    );
  }
  return { port, lastPort };
}

function parsePort(portText: string, text: string): number {
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : NaN;
  if (!(port <= 65535)) {
    throw new UsageError(
      `endpoint ${JSON.stringify(text)} has the port ${JSON.stringify(portText)}; ` +
        `a port is a whole number from 0 to 65535`,
    );
  }
  return port;
}

/** The endpoint as text; `parseEndpoint` reads it back to the same value. */
export function formatEndpoint(endpoint: Endpoint): string {
  const host = endpoint.host.includes(":") ? `[${endpoint.host}]` : endpoint.host;
  const ports = endpoint.lastPort === endpoint.port
    ? `${endpoint.port}`
    : `${endpoint.port}-${endpoint.lastPort}`;
  return `${endpoint.scheme}://${host}:${ports}${endpoint.path === "/" ? "" : endpoint.path}`;
}
