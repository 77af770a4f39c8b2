import { packBatch, unpackBatch } from "../serialization/batch.ts";
import type { Encoded } from "../serialization/serializer.ts";
import type { Subprotocol } from "../serialization/subprotocol.ts";
import type { Connection, Group, Lane, ListenerSettings, Receiver } from "./connection.ts";
import { Doubt } from "./doubt.ts";
import type { SlowWatch, Watched } from "./slow_watch.ts";

type Server = Bun.Server<WebSocketConnection>;
type Socket = Bun.ServerWebSocket<WebSocketConnection>;

/** About 200 bytes beside what the engine has. */
export class WebSocketConnection implements Connection, Watched {
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
    const framed = this.lane.framed(message);
    this.socket?.send(framed);
    this.lane.sent(framed);
    return true;
  }

  get pendingBytes(): number {
    return this.socket?.getBufferedAmount() ?? 0;
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
export class WebSocketLane implements Lane {
  readonly serializer;
  readonly isBatched: boolean;
  readonly #server: Server;
  readonly #name: string;
  readonly #slow: SlowWatch;
  #groups = 0;

  constructor(server: Server, subprotocol: Subprotocol, slow: SlowWatch) {
    this.#slow = slow;
    this.serializer = subprotocol.serializer;
    this.isBatched = subprotocol.isBatched;
    this.#server = server;
    this.#name = subprotocol.name;
  }

  createGroup(): Group {
    return new WebSocketGroup(this, this.#server, `${this.#name} ${++this.#groups}`);
  }

  /** This went to one connection or to many. */
  sent(framed: Encoded): void {
    // Text has up to 3 bytes for each unit of its length; counting too much only means looking sooner.
    this.#slow.sent(typeof framed === "string" ? framed.length * 3 : framed.length);
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
    this.#lane.sent(framed);
    return this.#members.size - (isExcept ? 1 : 0);
  }
}
