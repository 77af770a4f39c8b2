import { messageOf } from "../errors.ts";
import type { Failure } from "../stats/failure.ts";
import type { Endpoint } from "./endpoint.ts";
import { FreeIds } from "./free_ids.ts";
import type { ConnectionHandlers, Listener, ListenSettings, TransportTraits } from "./transport.ts";
import { UpgradeAdmission } from "./websocket_admission.ts";
import { raiseBacklog } from "./websocket_backlog.ts";
import { closeCodes, closedByPeer } from "./websocket_close.ts";
import { bindWebSocketServer, type ServeHandlers } from "./websocket_server.ts";
import { TextMessages } from "./websocket_text.ts";

/** `data` is the id of the connection. */
type Socket = Bun.ServerWebSocket<number>;

/** What happened on a connection, as bits. */
const isOpen = 1;
/** The engine queues bytes for the peer. */
const isQueued = 2;
/** A send was cut short: `drain` has to follow. */
const isOwed = 4;
/** This side asked for the end. */
const isAsked = 8;
const isPaused = 16;

/** How long peers may take at `shutdown` to read what is queued, and then to end. */
const closeTimeoutMs = 1000;
/** The engine's limits are 32-bit numbers. */
const maxEngineBytes = 0xffffffff;

const abnormalEnd: Failure = {
  kind: "reset",
  detail: "the connection ended without a close frame (1006)",
};

/**
 * Accepts WebSocket connections with `Bun.serve`, whose engine (uWebSockets) does handshake and
 * framing. Compression is never agreed on, so that bytes counted are bytes sent.
 *
 * A connection costs 13 bytes here and about 0.9 KB in the engine and the runtime (measured).
 */
export class WebSocketListener implements Listener {
  readonly endpoint: Endpoint;
  readonly traits: TransportTraits;
  readonly #handlers: ConnectionHandlers;
  readonly #settings: ListenSettings;
  readonly #server: Bun.Server<number>;
  readonly #ids = new FreeIds();
  readonly #sockets: (Socket | undefined)[] = [];
  #states = new Uint8Array(1024);
  /** The sweep's tick at which something last came or went. */
  #activity = new Uint32Array(1024);
  #tick = 0;
  readonly #idleTicks: number;
  readonly #idle: Failure;
  #sweepTimer: ReturnType<typeof setInterval> | undefined;
  readonly #reasons = new Map<number, Failure>();
  readonly #admission: UpgradeAdmission;
  readonly #texts = new TextMessages();

  /**
   * @throws {HostLimitError} the endpoint cannot be bound.
   * @throws {UsageError} a wss endpoint without a certificate.
   * @throws {FileError} its certificate cannot be used.
   */
  constructor(endpoint: Endpoint, handlers: ConnectionHandlers, settings: ListenSettings) {
    const { idleTimeoutMs } = settings;
    this.#handlers = handlers;
    this.#settings = settings;
    this.traits = {
      framing: "message",
      reliable: true,
      ordered: true,
      secure: endpoint.scheme === "wss",
      maxMessageBytes: Infinity,
    };
    this.#admission = new UpgradeAdmission(settings);
    this.#idle = { kind: "idle", detail: `nothing moved for ${idleTimeoutMs} ms` };
    const tickMs = Math.min(250, Math.max(5, idleTimeoutMs / 8));
    this.#idleTicks = Math.ceil(idleTimeoutMs / tickMs);
    this.#server = bindWebSocketServer(endpoint, settings, this.#serveHandlers());
    const port = this.#server.port ?? endpoint.port;
    this.endpoint = { ...endpoint, port, lastPort: port };
    raiseBacklog(port, settings.backlog);
    if (idleTimeoutMs > 0) this.#sweepTimer = setInterval(() => this.#sweep(), tickMs);
    this.#sweepTimer?.unref();
  }

  #serveHandlers(): ServeHandlers {
    const settings = this.#settings;
    return {
      fetch: (request, server) => this.#admission.answer(request, server, this.#ids.used),
      websocket: {
        perMessageDeflate: false,
        maxPayloadLength: Math.min(settings.maxMessageBytes, maxEngineBytes),
        // `send` stops at the limit by itself: only pongs to a flood of pings go beyond it.
        backpressureLimit: Math.min(Math.max(1, settings.maxPendingBytes), maxEngineBytes),
        closeOnBackpressureLimit: true,
        // The engine counts in steps of 4 s from 8 s on, and its pings would wake idle connections.
        idleTimeout: 0,
        sendPings: false,
        open: (socket) => this.#opened(socket),
        message: (socket, message) => this.#message(socket, message),
        drain: (socket) => this.#drain(socket),
        close: (socket, code, reason) => this.#closed(socket, code, reason),
        error: (error, socket) => this.#handlerThrew(error, socket),
      },
    };
  }

  #opened(socket: Socket): void {
    const id = this.#ids.take();
    if (id >= this.#states.length) this.#grow();
    while (this.#sockets.length <= id) this.#sockets.push(undefined);
    socket.data = id;
    socket.binaryType = "uint8array";
    this.#sockets[id] = socket;
    this.#states[id] = isOpen;
    this.#activity[id] = this.#tick;
    this.#handlers.open(id);
  }

  #grow(): void {
    const states = new Uint8Array(this.#states.length * 2);
    states.set(this.#states);
    this.#states = states;
    const activity = new Uint32Array(states.length);
    activity.set(this.#activity);
    this.#activity = activity;
  }

  #message(socket: Socket, message: string | Uint8Array): void {
    const id = socket.data;
    if (id < 0) return;
    this.#activity[id] = this.#tick;
    if (typeof message !== "string") this.#handlers.data(id, message, false);
    else this.#handlers.data(id, this.#texts.encode(message), true);
  }

  #drain(socket: Socket): void {
    const id = socket.data;
    if (id < 0) return;
    this.#activity[id] = this.#tick;
    const queuedBytes = socket.getBufferedAmount();
    if (queuedBytes === 0) this.#states[id]! &= ~isQueued;
    if ((this.#states[id]! & isOwed) === 0) return;
    if (queuedBytes > this.#settings.maxPendingBytes / 2) return;
    this.#states[id]! &= ~isOwed;
    this.#handlers.drain(id);
  }

  #closed(socket: Socket, code: number, reason: string): void {
    const id = socket.data;
    if (id < 0) return;
    const state = this.#states[id]!;
    const failure = this.#failureOf(id, state, code, reason);
    socket.data = -1;
    this.#sockets[id] = undefined;
    this.#states[id] = 0;
    if (this.#reasons.size > 0) this.#reasons.delete(id);
    this.#ids.release(id);
    this.#handlers.close(id, failure);
  }

  #failureOf(id: number, state: number, code: number, reason: string): Failure | undefined {
    const known = this.#reasons.size > 0 ? this.#reasons.get(id) : undefined;
    if (known !== undefined) return known;
    if (state & isAsked) return undefined;
    if (code !== closeCodes.abnormal) return closedByPeer("client", code, reason);
    // The engine gives its own reason where the peer broke the protocol.
    if (reason !== "") return { kind: "protocol", detail: `from the client: ${reason}` };
    return abnormalEnd;
  }

  /** A bug in a handler: the connection ends and says so, the others go on. */
  #handlerThrew(error: Error, socket: Socket): void {
    const id = socket.data;
    if (id < 0) return;
    this.#reasons.set(id, { kind: "protocol", detail: `internal error: ${messageOf(error)}` });
    socket.close(closeCodes.internalError, "internal error");
  }

  #sweep(): void {
    this.#tick++;
    for (let id = 0; id < this.#sockets.length; id++) {
      const socket = this.#sockets[id];
      if (socket === undefined || this.#tick - this.#activity[id]! <= this.#idleTicks) continue;
      this.#reasons.set(id, this.#idle);
      this.#end(id, socket, closeCodes.goingAway, "idle");
    }
  }

  /** Text has to be UTF-8: the engine takes a string for it. */
  send(
    id: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    messageBytes: number,
    isText = false,
  ): number {
    const socket = this.#sockets[id];
    if (socket === undefined || (this.#states[id]! & isAsked) !== 0) return 0;
    if (length === messageBytes) {
      return this.#sendOne(id, socket, bytes, offset, length, isText) ? length : 0;
    }
    // One write for all of them, as the engine does by itself inside its handlers.
    return socket.cork(() => {
      let sentBytes = 0;
      while (sentBytes + messageBytes <= length) {
        const at = offset + sentBytes;
        if (!this.#sendOne(id, socket, bytes, at, messageBytes, isText)) break;
        sentBytes += messageBytes;
      }
      return sentBytes;
    });
  }

  /** @returns whether the message was accepted: it is sent, or queued in the engine. */
  #sendOne(
    id: number,
    socket: Socket,
    bytes: Uint8Array,
    offset: number,
    length: number,
    isText: boolean,
  ): boolean {
    if (
      (this.#states[id]! & isQueued) !== 0 && length > 0 &&
      socket.getBufferedAmount() >= this.#settings.maxPendingBytes
    ) {
      this.#states[id]! |= isOwed;
      return false;
    }
    const message = length === bytes.length ? bytes : bytes.subarray(offset, offset + length);
    const status = isText
      ? socket.sendText(this.#texts.decode(message))
      : socket.sendBinary(message as Uint8Array<ArrayBuffer>);
    if (status > 0) this.#activity[id] = this.#tick;
    else if (status < 0) this.#states[id]! |= isQueued;
    // 0 says that the connection is gone, or that an empty message was sent.
    else if (length > 0) return false;
    return true;
  }

  pause(id: number): void {
    const socket = this.#sockets[id];
    if (socket === undefined || (this.#states[id]! & isAsked) !== 0) return;
    this.#states[id]! |= isPaused;
    socket.pause();
  }

  resume(id: number): void {
    if ((this.#states[id]! & isPaused) === 0) return;
    this.#states[id]! &= ~isPaused;
    this.#sockets[id]?.resume();
  }

  /** There is no half-close: a server that has sent a close frame is done. */
  finish(id: number): void {
    this.close(id);
  }

  close(id: number): void {
    const socket = this.#sockets[id];
    if (socket !== undefined) this.#end(id, socket, closeCodes.normal, "");
  }

  /** A close frame behind all that is queued; the engine then ends the stream. */
  #end(id: number, socket: Socket, code: number, reason: string): void {
    this.resume(id); // else the peer's end would never be read
    this.#states[id]! |= isAsked;
    socket.close(code, reason);
  }

  terminate(id: number): void {
    const socket = this.#sockets[id];
    if (socket === undefined) return;
    this.#states[id]! |= isAsked;
    socket.terminate();
  }

  stopAccepting(): void {
    this.#admission.stop();
    void this.#server.stop(false);
  }

  async shutdown(): Promise<void> {
    this.stopAccepting();
    const deadlineMs = performance.now() + closeTimeoutMs;
    while (this.#closeAll(false) > 0 && performance.now() < deadlineMs) await Bun.sleep(10);
    this.#closeAll(true);
    clearInterval(this.#sweepTimer);
    // The engine goes on ending the streams; those that take too long are cut off.
    setTimeout(() => void this.#server.stop(true), closeTimeoutMs).unref();
  }

  /**
   * Closes the connections on which nothing is queued, because the engine drops queues when it is
   * stopped; or simply all of them.
   *
   * @returns how many are left.
   */
  #closeAll(withQueues: boolean): number {
    for (let id = 0; id < this.#sockets.length; id++) {
      const socket = this.#sockets[id];
      if (socket === undefined) continue;
      const isQueueing = (this.#states[id]! & isQueued) !== 0 && socket.getBufferedAmount() > 0;
      if (withQueues || !isQueueing) this.#end(id, socket, closeCodes.goingAway, "");
    }
    return this.#ids.used;
  }
}
