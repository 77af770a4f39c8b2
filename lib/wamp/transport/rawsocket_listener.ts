import { listenError } from "../../transport/listen_error.ts";
import type { Encoded, Serializer } from "../serialization/serializer.ts";
import { serializerOfRawSocketId } from "../serialization/serializers.ts";
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
import { frame, FrameError, FrameReader, frameTypes } from "./rawsocket_frame.ts";
import {
  handshakeBytes,
  handshakeErrors,
  lengthExponent,
  longestMessage,
  magic,
} from "./rawsocket_handshake.ts";
import { tlsOptionOf } from "./wamp_url.ts";

type Socket = Bun.Socket<RawSocketConnection>;

/** How long a client may take for its handshake. */
const handshakeTimeoutMs = 10_000;

/**
 * Accepts WAMP over rawsocket. What is sent in one turn of the event loop goes out in one write per
 * connection.
 *
 * @throws {HostLimitError} the address cannot be bound.
 */
export function listenRawSocket(url: ListenUrl, settings: ListenerSettings): WampListener {
  const listener = new RawSocketListener(settings);
  const { host, port } = url.endpoint;
  const socket = {
    binaryType: "uint8array" as const,
    open: (socket: Socket) => listener.opened(socket),
    data: (socket: Socket, bytes: Uint8Array) => socket.data.received(bytes),
    drain: (socket: Socket) => socket.data.flush(),
    close: (socket: Socket) => socket.data.ended(),
    // A reset; the close follows.
    error() {},
  };
  const tls = tlsOptionOf(url, settings.certificate);
  const listen = (hostname: string) =>
    Bun.listen<RawSocketConnection>({ hostname, port, ...tls, socket: socket as never });
  let server: Bun.TCPSocketListener<RawSocketConnection>;
  try {
    if (host !== "") server = listen(host);
    else {
      try {
        server = listen("::");
      } catch (error) {
        if ((error as { code?: string }).code === "EADDRINUSE") throw error;
        server = listen("0.0.0.0");
      }
    }
  } catch (error) {
    throw listenError(url.endpoint, error);
  }
  const heartbeat = new Heartbeat(
    listener.connections,
    settings.pingIntervalMs,
    settings.standstill,
  );
  return {
    url: formatListenUrl(url, server.port),
    port: server.port,
    get slowClosed() {
      return listener.slowClosed;
    },
    stopAccepting: () => server.stop(false),
    stop() {
      heartbeat.stop();
      server.stop(true);
      for (const connection of listener.connections) connection.terminate();
      return Promise.resolve();
    },
  };
}

class RawSocketListener {
  readonly settings: ListenerSettings;
  readonly connections = new Set<RawSocketConnection>();
  slowClosed = 0;
  readonly #lanes = new Map<Serializer, RawSocketLane>();
  #dirty: RawSocketConnection[] = [];
  readonly #flushAll = () => {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const connection of dirty) connection.flush();
  };

  constructor(settings: ListenerSettings) {
    this.settings = settings;
  }

  opened(socket: Socket): void {
    const connection = new RawSocketConnection(this, socket);
    socket.data = connection;
    socket.setNoDelay(true);
    this.connections.add(connection);
  }

  laneOf(serializer: Serializer): RawSocketLane {
    let lane = this.#lanes.get(serializer);
    if (lane === undefined) {
      lane = new RawSocketLane(serializer);
      this.#lanes.set(serializer, lane);
    }
    return lane;
  }

  /** Has the connection written to when all that came in this turn is handled. */
  flushLater(connection: RawSocketConnection): void {
    if (this.#dirty.push(connection) === 1) setImmediate(this.#flushAll);
  }
}

const nobody: Receiver = { message() {}, closed() {} };

/** About 600 bytes beside what the engine has. */
class RawSocketConnection implements Connection {
  readonly peer: string;
  readonly kind = "rawsocket";
  heard = true;
  activity = 0;
  lane!: RawSocketLane;
  readonly #listener: RawSocketListener;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  #receiver: Receiver = nobody;
  #doubt: Doubt<Uint8Array> | undefined;
  #handshake: Uint8Array | undefined = new Uint8Array(0);
  readonly #handshakeTimer: ReturnType<typeof setTimeout>;
  #maxSendBytes = 0;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #isDirty = false;
  /** The kernel took only a part; the rest goes out on `drain`. */
  #isBlocked = false;
  #isClosing = false;
  #isEnded = false;

  constructor(listener: RawSocketListener, socket: Socket) {
    this.#listener = listener;
    this.#socket = socket;
    this.peer = peerName(socket.remoteAddress, socket.remotePort);
    this.#reader = new FrameReader(listener.settings.maxMessageBytes);
    this.#handshakeTimer = setTimeout(() => this.terminate(), handshakeTimeoutMs);
  }

  received(bytes: Uint8Array): void {
    this.#listener.settings.standstill.check();
    this.heard = true;
    this.activity++;
    try {
      if (this.#handshake === undefined) this.#read(bytes);
      else this.#shake(this.#handshake, bytes);
    } catch (error) {
      if (!(error instanceof FrameError)) this.#listener.settings.failed(error);
      this.terminate();
    }
  }

  #read(bytes: Uint8Array): void {
    this.#reader.push(bytes, (type, content) => {
      if (this.#isClosing) return;
      if (type === frameTypes.message) {
        if (this.#doubt?.isOpen) this.#doubt.hold(content.slice());
        else this.#receiver.message(content);
      } else if (type === frameTypes.ping) this.#enqueue(frame(frameTypes.pong, content));
      else this.#doubt?.answered(content);
    });
  }

  #shake(before: Uint8Array, bytes: Uint8Array): void {
    const all = before.length === 0 ? bytes : Buffer.concat([before, bytes]);
    if (all[0] !== magic) return this.terminate();
    if (all.length < handshakeBytes) {
      this.#handshake = all;
      return;
    }
    clearTimeout(this.#handshakeTimer);
    const serializer = serializerOfRawSocketId(all[1]! & 15);
    if (all[2] !== 0 || all[3] !== 0) return this.#refuse(handshakeErrors.reservedBits);
    if (serializer === undefined) return this.#refuse(handshakeErrors.serializerUnsupported);
    this.#handshake = undefined;
    this.#maxSendBytes = longestMessage(all[1]! >> 4);
    this.lane = this.#listener.laneOf(serializer);
    const exponent = lengthExponent(this.#listener.settings.maxMessageBytes);
    this.#enqueue(new Uint8Array([magic, exponent << 4 | serializer.rawSocketId, 0, 0]));
    const { accept, standstill } = this.#listener.settings;
    this.#receiver = accept(this);
    if (standstill.isRecent) this.doubt();
    if (all.length > handshakeBytes) this.#read(all.subarray(handshakeBytes));
  }

  #refuse(error: number): void {
    this.#socket.end(new Uint8Array([magic, error << 4, 0, 0]));
  }

  ended(): void {
    clearTimeout(this.#handshakeTimer);
    this.#isClosing = true;
    this.#isEnded = true;
    this.#queue = [];
    this.#doubt?.end();
    this.#listener.connections.delete(this);
    const receiver = this.#receiver;
    this.#receiver = nobody;
    receiver.closed();
  }

  send(message: Encoded): boolean {
    return this.sendFrame(frame(frameTypes.message, bytesOf(message)));
  }

  /** The same for a message that is framed already, and may be sent to others too. */
  sendFrame(framed: Uint8Array): boolean {
    if (framed.length - 4 > this.#maxSendBytes) return false;
    this.#enqueue(framed);
    return true;
  }

  #enqueue(framed: Uint8Array): void {
    if (this.#isClosing) return;
    this.#queue.push(framed);
    this.#queuedBytes += framed.length;
    if (this.#queuedBytes > this.#listener.settings.maxPendingBytes && this.#isBlocked) {
      this.#listener.slowClosed++;
      this.terminate();
    } else if (!this.#isDirty && !this.#isBlocked) {
      this.#isDirty = true;
      this.#listener.flushLater(this);
    }
  }

  /** Writes what waits, as far as the kernel takes it. */
  flush(): void {
    this.#isDirty = false;
    if (this.#isEnded || this.#queuedBytes === 0) return;
    const bytes = this.#queue.length === 1 ? this.#queue[0]! : Buffer.concat(this.#queue);
    const written = Math.max(0, this.#socket.write(bytes));
    this.#queuedBytes -= written;
    this.#isBlocked = written < bytes.length;
    this.#queue = this.#isBlocked ? [bytes.subarray(written)] : [];
    if (this.#isClosing && !this.#isBlocked) this.#socket.end();
  }

  doubt(): void {
    const { pingIntervalMs, standstill } = this.#listener.settings;
    if (pingIntervalMs === 0 || this.#isClosing || this.#handshake !== undefined) return;
    this.heard = true;
    this.activity++;
    this.#doubt ??= new Doubt(standstill, (message) => this.#receiver.message(message));
    this.#enqueue(frame(frameTypes.ping, this.#doubt.begin()));
  }

  get isInDoubt(): boolean {
    return this.#doubt?.isOpen === true;
  }

  ping(): void {
    if (this.#handshake === undefined) this.#enqueue(frame(frameTypes.ping, new Uint8Array(0)));
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#queuedBytes === 0) this.#socket.end();
  }

  terminate(): void {
    this.#isClosing = true;
    if (!this.#isEnded) this.#socket.terminate();
  }
}

/** The connections of one listener with one serializer. */
class RawSocketLane implements Lane {
  readonly serializer: Serializer;

  constructor(serializer: Serializer) {
    this.serializer = serializer;
  }

  createGroup(): Group {
    return new RawSocketGroup();
  }
}

class RawSocketGroup implements Group {
  readonly #members = new Set<RawSocketConnection>();

  get size(): number {
    return this.#members.size;
  }

  has(connection: Connection): boolean {
    return this.#members.has(connection as RawSocketConnection);
  }

  add(connection: Connection): void {
    this.#members.add(connection as RawSocketConnection);
  }

  remove(connection: Connection): void {
    this.#members.delete(connection as RawSocketConnection);
  }

  publish(message: Encoded, except?: Connection): number {
    const framed = frame(frameTypes.message, bytesOf(message));
    let count = 0;
    for (const member of this.#members) {
      if (member !== except && member.sendFrame(framed)) count++;
    }
    return count;
  }
}

const encoder = new TextEncoder();

function bytesOf(message: Encoded): Uint8Array {
  return typeof message === "string" ? encoder.encode(message) : message;
}
