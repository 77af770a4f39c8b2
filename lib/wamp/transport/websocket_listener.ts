import { listenError } from "../../transport/listen_error.ts";
import { packBatch, unpackBatch } from "../serialization/batch.ts";
import type { Encoded } from "../serialization/serializer.ts";
import { chooseSubprotocol, type Subprotocol, subprotocols } from "../serialization/subprotocol.ts";
import {
  type Connection,
  type Group,
  type Lane,
  type ListenerSettings,
  peerName,
  type Receiver,
  type WampListener,
} from "./connection.ts";
import { Doubt } from "./doubt.ts";
import { Heartbeat } from "./heartbeat.ts";
import { formatListenUrl, type ListenUrl } from "./listen_url.ts";
import { tlsOptionOf } from "./wamp_url.ts";

type Server = Bun.Server<WebSocketConnection>;
type Socket = Bun.ServerWebSocket<WebSocketConnection>;

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
      backpressureLimit: settings.maxPendingBytes,
      // Without it, Bun drops silently what a slow client does not take.
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
      lane = new WebSocketLane(server, subprotocol);
      lanes.set(subprotocol.name, lane);
    }
    return lane;
  }

  const heartbeat = new Heartbeat(connections, settings.pingIntervalMs, settings.standstill);
  const port = server.port!;
  return {
    url: formatListenUrl(url, port),
    port,
    // The engine closes slow clients as if they had gone by themselves.
    slowClosed: undefined,
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

/** About 200 bytes beside what the engine has. */
class WebSocketConnection implements Connection {
  readonly lane: WebSocketLane;
  readonly peer: string;
  readonly kind = "websocket";
  heard = true;
  activity = 0;
  /** Undefined before it is open and after it has ended. */
  socket: Socket | undefined;
  #receiver: Receiver | undefined;
  readonly #settings: ListenerSettings;
  #doubt: Doubt<string | Buffer> | undefined;

  constructor(lane: WebSocketLane, peer: string, settings: ListenerSettings) {
    this.lane = lane;
    this.peer = peer;
    this.#settings = settings;
  }

  opened(socket: Socket, receiver: Receiver): void {
    this.socket = socket;
    this.#receiver = receiver;
  }

  lives(): void {
    this.heard = true;
    this.activity++;
  }

  received(message: string | Buffer): void {
    this.lives();
    if (this.#doubt?.isOpen) this.#doubt.hold(message);
    else this.#take(message);
  }

  answered(content: Uint8Array): void {
    this.lives();
    this.#doubt?.answered(content);
  }

  #take(message: string | Buffer): void {
    if (!this.lane.isBatched) {
      this.#receiver?.message(message);
      return;
    }
    try {
      if (typeof message === "string") throw new TypeError("a batch came as text");
      unpackBatch(message, (one) => this.#receiver?.message(one));
    } catch {
      this.terminate();
    }
  }

  ended(): void {
    this.socket = undefined;
    this.#doubt?.end();
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.closed();
  }

  send(message: Encoded): boolean {
    this.socket?.send(this.lane.framed(message));
    return true;
  }

  /** The engine writes by itself. */
  flush(): void {}

  doubt(): void {
    const { pingIntervalMs, standstill } = this.#settings;
    if (pingIntervalMs === 0 || this.socket === undefined) return;
    this.lives();
    this.#doubt ??= new Doubt(standstill, (message) => this.#take(message));
    this.socket.ping(this.#doubt.begin());
  }

  get isInDoubt(): boolean {
    return this.#doubt?.isOpen === true;
  }

  ping(): void {
    this.socket?.ping();
  }

  close(): void {
    this.socket?.close(1000);
  }

  terminate(): void {
    this.socket?.terminate();
  }
}

/** The connections of one server that speak one subprotocol. */
class WebSocketLane implements Lane {
  readonly serializer;
  readonly isBatched: boolean;
  readonly #server: Server;
  readonly #name: string;
  #groups = 0;

  constructor(server: Server, subprotocol: Subprotocol) {
    this.serializer = subprotocol.serializer;
    this.isBatched = subprotocol.isBatched;
    this.#server = server;
    this.#name = subprotocol.name;
  }

  createGroup(): Group {
    return new WebSocketGroup(this, this.#server, `${this.#name} ${++this.#groups}`);
  }

  /** A message as a batch of one, where batches are spoken. */
  framed(message: Encoded): Encoded {
    return this.isBatched ? packBatch([message as Uint8Array]) : message;
  }
}

/** A topic of `Bun.serve`. */
class WebSocketGroup implements Group {
  readonly #lane: WebSocketLane;
  readonly #server: Server;
  readonly #topic: string;
  readonly #members = new Set<Connection>();

  constructor(lane: WebSocketLane, server: Server, topic: string) {
    this.#lane = lane;
    this.#server = server;
    this.#topic = topic;
  }

  get size(): number {
    return this.#members.size;
  }

  has(connection: Connection): boolean {
    return this.#members.has(connection);
  }

  add(connection: Connection): void {
    this.#members.add(connection);
    (connection as WebSocketConnection).socket?.subscribe(this.#topic);
  }

  remove(connection: Connection): void {
    if (!this.#members.delete(connection)) return;
    (connection as WebSocketConnection).socket?.unsubscribe(this.#topic);
  }

  publish(message: Encoded, except?: Connection): number {
    const framed = this.#lane.framed(message);
    const isExcept = except !== undefined && this.#members.has(except);
    const socket = isExcept ? (except as WebSocketConnection).socket : undefined;
    if (socket !== undefined) socket.publish(this.#topic, framed);
    else this.#server.publish(this.#topic, framed);
    return this.#members.size - (isExcept ? 1 : 0);
  }
}
