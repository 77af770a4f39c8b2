import { createHash } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { parseEndpoint } from "../../lib/transport/endpoint.ts";
import type { Dialer, DialSettings } from "../../lib/transport/transport.ts";
import { ws } from "../../lib/transport/websocket.ts";
import { dialSettings, Recorder, until } from "./recorder.ts";
import { readFrames, type ReferenceFrame } from "./websocket_reference.ts";

/** The accept for a key, as RFC 6455 1.3 describes it. */
export function acceptFor(key: string): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

/** One client of a `RawServer`. */
export class RawPeer {
  request = "";
  isEnded = false;
  isClosed = false;
  #bytes = Buffer.alloc(0);

  constructor(readonly socket: Socket) {
    socket.on("error", () => {});
    socket.on("end", () => this.isEnded = true);
    socket.on("close", () => this.isClosed = true);
  }

  received(bytes: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
  }

  /** Every whole frame that came so far. */
  get frames(): ReferenceFrame[] {
    return readFrames(this.#bytes).frames;
  }

  /** Frames in the form `opcode payload`, for comparisons. */
  get texts(): string[] {
    return this.frames.map((frame) => `${frame.opcode} ${Buffer.from(frame.payload).toString()}`);
  }

  async write(...frames: Uint8Array[]): Promise<void> {
    await new Promise<void>((resolve) => this.socket.write(Buffer.concat(frames), () => resolve()));
  }
}

/**
 * A WebSocket server of plain sockets, which does what a test tells it, right or wrong: a dialer
 * under test meets frames here that no proper server would send.
 */
export class RawServer implements AsyncDisposable {
  readonly peers: RawPeer[] = [];
  readonly client = new Recorder("dialer");
  readonly #server: Server;
  #dialer: Dialer | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param answer what follows the request; the proper response where it is left out. */
  static async start(
    own: Partial<DialSettings> = {},
    answer?: (peer: RawPeer, accept: string) => void,
  ): Promise<RawServer> {
    const server = createServer({ allowHalfOpen: true });
    const raw = new RawServer(server);
    server.on("connection", (socket) => {
      const peer = new RawPeer(socket);
      raw.peers.push(peer);
      let isOpen = false;
      socket.on("data", (bytes: Buffer) => {
        if (isOpen) return peer.received(bytes);
        peer.request += bytes.toString("latin1");
        if (!peer.request.includes("\r\n\r\n")) return;
        isOpen = true;
        const key = /^Sec-WebSocket-Key: (.*)\r$/m.exec(peer.request)?.[1] ?? "";
        if (answer === undefined) socket.write(response(acceptFor(key)));
        else answer(peer, acceptFor(key));
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const endpoint = parseEndpoint(`ws://127.0.0.1:${port}/test`);
    raw.#dialer = await ws.dial(endpoint, raw.client, dialSettings(4, own));
    return raw;
  }

  get dialer(): Dialer {
    return this.#dialer!;
  }

  /** Opens a connection; both ends of it are there afterwards. */
  async opened(id: number): Promise<RawPeer> {
    const { opens, closes } = this.client.of(id);
    const count = this.peers.length;
    this.dialer.connect(id);
    await until(
      () => this.client.of(id).opens > opens || this.client.of(id).closes > closes,
      `open(${id})`,
    );
    if (!this.client.of(id).isOpen) throw new Error(this.client.of(id).failure?.detail);
    return this.peers[count]!;
  }

  /** Waits for the close of a connection and gives `kind: detail` of its failure. */
  async closed(id: number): Promise<string> {
    await until(() => this.client.of(id).closes > 0 && !this.client.of(id).isOpen, `close(${id})`);
    const { failure } = this.client.of(id);
    return failure === undefined ? "asked for" : `${failure.kind}: ${failure.detail}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dialer.shutdown();
    for (const { socket } of this.peers) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
    if (this.client.violations.length > 0) throw new Error(this.client.violations.join("; "));
  }
}

/** The response that completes a handshake. */
export function response(accept: string): string {
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`;
}
