import { messageOf } from "../../errors.ts";
import type { Encoded, Serializer } from "../serialization/serializer.ts";
import { subprotocolOf } from "../serialization/subprotocol.ts";
import { Doubt } from "./doubt.ts";
import { formatListenUrl, type ListenUrl } from "./listen_url.ts";
import { frame, FrameReader, frameTypes } from "./rawsocket_frame.ts";
import { handshakeBytes, lengthExponent, longestMessage, magic } from "./rawsocket_handshake.ts";
import type { StandstillWatch } from "./standstill.ts";

/** The dialing end of a connection between two routers. */
export interface LinkSocket {
  /**
   * Sends a message; one that is too early or too late is forgotten.
   *
   * @returns false: it is longer than what the other router takes; it is not sent.
   */
  send(message: Encoded): boolean;
  /** Asks the peer for a sign of life; `heard` counts it. */
  ping(): void;
  /**
   * This process has stood still: what has come and what comes waits until the peer answers a ping, and
   * is forgotten if it has ended the link.
   */
  doubt(): void;
  terminate(): void;
  /** Counts whatever comes. */
  readonly heard: number;
}

export interface LinkSocketHandlers {
  opened(): void;
  message(message: Encoded): void;
  /** Called once, also where it never opened. */
  closed(reason: string): void;
}

/**
 * Connects to another router. Serializers of bytes only.
 *
 * @param maxMessageBytes longest message that is taken, and by WebSocket sent: there the other router
 * does not say what it takes.
 */
export function dialLink(
  url: ListenUrl,
  serializer: Serializer,
  maxMessageBytes: number,
  standstill: StandstillWatch,
  handlers: LinkSocketHandlers,
): LinkSocket {
  return url.kind === "websocket"
    ? new WebSocketLink(url, serializer, maxMessageBytes, standstill, handlers)
    : new RawSocketLink(url, serializer, maxMessageBytes, standstill, handlers);
}

class WebSocketLink implements LinkSocket {
  heard = 0;
  readonly #socket: WebSocket & { ping?(content?: Uint8Array): void };
  readonly #doubt: Doubt<Uint8Array>;
  readonly #maxSendBytes: number;
  #isClosed = false;

  constructor(
    url: ListenUrl,
    serializer: Serializer,
    maxMessageBytes: number,
    standstill: StandstillWatch,
    handlers: LinkSocketHandlers,
  ) {
    this.#doubt = new Doubt(standstill, (message) => {
      if (!this.#isClosed) handlers.message(message);
    });
    this.#maxSendBytes = maxMessageBytes;
    const { endpoint } = url;
    const host = endpoint.host === "" ? "localhost" : endpoint.host;
    const href = formatListenUrl({ ...url, endpoint: { ...endpoint, host } });
    const socket = new WebSocket(href, subprotocolOf(serializer.name).name);
    socket.binaryType = "arraybuffer";
    const closed = (reason: string) => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      this.#doubt.end();
      handlers.closed(reason);
    };
    socket.onopen = () => handlers.opened();
    socket.onmessage = ({ data }) => {
      standstill.check();
      this.heard++;
      if (this.#isClosed) return;
      const message = new Uint8Array(data as ArrayBuffer);
      if (this.#doubt.isOpen) this.#doubt.hold(message);
      else handlers.message(message);
    };
    socket.addEventListener("pong", (event) => {
      standstill.check();
      this.heard++;
      this.#doubt.answered(new Uint8Array((event as MessageEvent<ArrayBuffer>).data));
    });
    socket.onerror = (event) => closed((event as ErrorEvent).message || "the connection failed");
    socket.onclose = ({ code }) => closed(`the connection ended (${code})`);
    this.#socket = socket;
  }

  send(message: Encoded): boolean {
    if (message.length > this.#maxSendBytes) return false;
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(message as Uint8Array<ArrayBuffer>);
    }
    return true;
  }

  ping(): void {
    this.#socket.ping?.();
  }

  doubt(): void {
    if (this.#isClosed || this.#socket.readyState !== WebSocket.OPEN) return;
    this.heard++;
    this.#socket.ping?.(this.#doubt.begin());
  }

  terminate(): void {
    const socket = this.#socket as WebSocket & { terminate?(): void };
    if (socket.terminate !== undefined) socket.terminate();
    else socket.close();
  }
}

class RawSocketLink implements LinkSocket {
  heard = 0;
  readonly #handlers: LinkSocketHandlers;
  readonly #serializer: Serializer;
  readonly #reader: FrameReader;
  readonly #standstill: StandstillWatch;
  readonly #doubt: Doubt<Uint8Array>;
  #socket: Bun.Socket | undefined;
  /** Undefined when the handshake is over. */
  #answer: Uint8Array | undefined = new Uint8Array(0);
  #maxSendBytes = 0;
  #queue: Uint8Array[] = [];
  #isBlocked = false;
  #isDirty = false;
  #isClosed = false;

  constructor(
    { endpoint }: ListenUrl,
    serializer: Serializer,
    maxMessageBytes: number,
    standstill: StandstillWatch,
    handlers: LinkSocketHandlers,
  ) {
    this.#handlers = handlers;
    this.#standstill = standstill;
    this.#doubt = new Doubt(standstill, (message) => {
      if (!this.#isClosed) handlers.message(message);
    });
    this.#serializer = serializer;
    this.#reader = new FrameReader(maxMessageBytes);
    const hello = new Uint8Array([
      magic,
      lengthExponent(maxMessageBytes) << 4 | serializer.rawSocketId,
      0,
      0,
    ]);
    Bun.connect({
      hostname: endpoint.host === "" ? "localhost" : endpoint.host,
      port: endpoint.port,
      socket: {
        binaryType: "uint8array",
        open: (socket) => {
          this.#socket = socket;
          if (this.#isClosed) return socket.terminate();
          socket.setNoDelay(true);
          this.#enqueue(hello);
        },
        data: (_socket, bytes) => this.#received(bytes),
        drain: () => this.#flush(),
        close: () => this.#closed("the connection ended"),
        error: (_socket, error) => this.#closed(messageOf(error)),
        connectError: (_socket, error) => this.#closed(messageOf(error)),
      },
    }).catch((error) => this.#closed(messageOf(error)));
  }

  send(message: Encoded): boolean {
    if (this.#answer !== undefined) return true;
    if (message.length > this.#maxSendBytes) return false;
    this.#enqueue(frame(frameTypes.message, message as Uint8Array));
    return true;
  }

  ping(): void {
    if (this.#answer === undefined) this.#enqueue(frame(frameTypes.ping, new Uint8Array(0)));
  }

  doubt(): void {
    if (this.#isClosed || this.#answer !== undefined) return;
    this.heard++;
    this.#enqueue(frame(frameTypes.ping, this.#doubt.begin()));
  }

  terminate(): void {
    this.#socket?.terminate();
    this.#closed("this router ended it");
  }

  #received(bytes: Uint8Array): void {
    this.#standstill.check();
    this.heard++;
    if (this.#isClosed) return;
    try {
      const before = this.#answer;
      if (before === undefined) return this.#read(bytes);
      const answer = before.length === 0 ? bytes : Buffer.concat([before, bytes]);
      if (answer.length < handshakeBytes) {
        this.#answer = answer;
        return;
      }
      if (answer[0] !== magic || (answer[1]! & 15) !== this.#serializer.rawSocketId) {
        throw new TypeError("the peer does not speak rawsocket, or not with this serializer");
      }
      this.#answer = undefined;
      this.#maxSendBytes = longestMessage(answer[1]! >> 4);
      this.#handlers.opened();
      if (answer.length > handshakeBytes) this.#read(answer.subarray(handshakeBytes));
    } catch (error) {
      this.#socket?.terminate();
      this.#closed(messageOf(error));
    }
  }

  #read(bytes: Uint8Array): void {
    this.#reader.push(bytes, (type, content) => {
      if (this.#isClosed) return;
      if (type === frameTypes.message) {
        if (this.#doubt.isOpen) this.#doubt.hold(content.slice());
        else this.#handlers.message(content);
      } else if (type === frameTypes.ping) this.#enqueue(frame(frameTypes.pong, content));
      else this.#doubt.answered(content);
    });
  }

  #enqueue(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.#queue.push(bytes);
    if (this.#isDirty || this.#isBlocked) return;
    this.#isDirty = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isDirty = false;
    if (this.#isClosed || this.#queue.length === 0 || this.#socket === undefined) return;
    const bytes = this.#queue.length === 1 ? this.#queue[0]! : Buffer.concat(this.#queue);
    const written = Math.max(0, this.#socket.write(bytes));
    this.#isBlocked = written < bytes.length;
    this.#queue = this.#isBlocked ? [bytes.subarray(written)] : [];
  }

  #closed(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue = [];
    this.#doubt.end();
    this.#handlers.closed(reason);
  }
}
