import { listenError } from "../../transport/listen_error.ts";
import { chooseSubprotocol, type Subprotocol, subprotocols } from "../serialization/subprotocol.ts";
import { type ListenerSettings, peerName, type WampListener } from "./connection.ts";
import { Heartbeat } from "./heartbeat.ts";
import { formatListenUrl, type ListenUrl } from "./listen_url.ts";
import { SlowWatch } from "./slow_watch.ts";
import { tlsOptionOf } from "./wamp_url.ts";
import { WebSocketConnection, WebSocketLane } from "./websocket_connection.ts";

/** More than the engine keeps of small messages to a topic before they count as waiting. */
const enginesPendingBytes = 2 ** 20;

type Server = Bun.Server<WebSocketConnection>;

export interface WebSocketListenerSettings extends ListenerSettings {
  /** Answers a request that asks for no upgrade. `peer`: who asks. */
  page(path: string, peer: string): Response;
}

/**
 * Accepts WAMP over WebSocket with `Bun.serve`. What goes to many connections is handed to its engine
 * once, as a publication on one of its topics.
 *
 * @throws {HostLimitError} the address cannot be bound.
 */
export function listenWebSocket(url: ListenUrl, settings: WebSocketListenerSettings): WampListener {
  const connections = new Set<WebSocketConnection>();
  const slow = new SlowWatch(connections, settings.maxPendingBytes);
  const lanes = new Map<string, WebSocketLane>();
  let isStopped = false;

  const server = bind(url, {
    ...tlsOptionOf(url, settings.certificate),
    development: false,
    reusePort: false,
    // For requests; open connections have the heartbeat.
    idleTimeout: 30,
    maxRequestBodySize: 64 * 1024,
    fetch(request, server) {
      const path = pathOf(request.url);
      const address = server.requestIP(request);
      const peer = address === null ? "unix" : peerName(address.address, address.port);
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
        return settings.page(path, peer);
      }
      if (isStopped) return refusal(503, "This router is stopping.");
      if (path !== url.endpoint.path) {
        return refusal(404, `There is no WebSocket at ${path}, but at ${url.endpoint.path}.`);
      }
      const subprotocol = chooseSubprotocol(request.headers.get("sec-websocket-protocol") ?? "");
      if (subprotocol === undefined) {
        const names = subprotocols.map(({ name }) => name).join(", ");
        return refusal(400, `Offer one of these subprotocols: ${names}.`);
      }
      const lane = laneOf(subprotocol, server);
      const data = new WebSocketConnection(lane, peer, settings);
      const headers = { "Sec-WebSocket-Protocol": subprotocol.name };
      if (server.upgrade(request, { data, headers })) return undefined;
      return refusal(400, "The WebSocket handshake is malformed (RFC 6455 4.2.1).");
    },
    error(error) {
      settings.failed(error);
      return refusal(500, "This router has failed to answer.");
    },
    websocket: {
      perMessageDeflate: false,
      maxPayloadLength: settings.maxMessageBytes,
      // Who does not read is ended sooner, and counted: from here on the engine drops messages, and
      // ends the connection uncounted, or over TLS not at all.
      backpressureLimit: Math.min(settings.maxPendingBytes + enginesPendingBytes, 2 ** 32 - 1),
      closeOnBackpressureLimit: true,
      idleTimeout: 0,
      open(socket) {
        settings.standstill.check();
        const connection = socket.data;
        connections.add(connection);
        connection.opened(socket, settings.accept(connection));
        if (settings.standstill.isRecent) connection.doubt();
      },
      message(socket, message) {
        settings.standstill.check();
        socket.data.received(message);
      },
      pong(socket, content) {
        settings.standstill.check();
        socket.data.answered(content);
      },
      ping: (socket) => socket.data.lives(),
      close(socket) {
        const connection = socket.data;
        connections.delete(connection);
        connection.ended();
      },
      error(error, socket) {
        settings.failed(error);
        socket.data.terminate();
      },
    },
  });

  function laneOf(subprotocol: Subprotocol, server: Server): WebSocketLane {
    let lane = lanes.get(subprotocol.name);
    if (lane === undefined) {
      lane = new WebSocketLane(server, subprotocol, slow);
      lanes.set(subprotocol.name, lane);
    }
    return lane;
  }

  const heartbeat = new Heartbeat(connections, settings.pingIntervalMs, settings.standstill);
  const port = server.port!;
  return {
    url: formatListenUrl(url, port),
    port,
    get slowClosed() {
      return slow.ended;
    },
    stopAccepting() {
      isStopped = true;
      // Resolves when the last connection has gone, which `stop` sees to.
      void server.stop(false);
    },
    async stop() {
      isStopped = true;
      heartbeat.stop();
      await server.stop(true);
    },
  };
}

function bind(
  url: ListenUrl,
  options: Omit<Bun.Serve.Options<WebSocketConnection>, "port" | "hostname">,
): Server {
  const { host, port } = url.endpoint;
  const serve = (hostname: string) =>
    Bun.serve<WebSocketConnection>(
      { ...options, port, hostname } as Bun.Serve.Options<WebSocketConnection>,
    );
  try {
    if (host !== "") return serve(host);
    try {
      return serve("::"); // takes IPv4 as well
    } catch (error) {
      if ((error as { code?: string }).code === "EADDRINUSE") throw error;
      return serve("0.0.0.0");
    }
  } catch (error) {
    throw listenError(url.endpoint, error);
  }
}

function refusal(status: number, text: string): Response {
  return new Response(`${text}\n`, { status, headers: { Connection: "close" } });
}

/** The path of a request; its URL is only that where a client of HTTP/1.0 sends no Host. */
function pathOf(url: string): string {
  const from = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  const path = from < 0 ? "/" : url.slice(from);
  return /^[^?#]*/.exec(path)?.[0] ?? path;
}
