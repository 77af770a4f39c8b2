import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Failure } from "../../lib/stats/failure.ts";
import { formatEndpoint, parseEndpoint } from "../../lib/transport/endpoint.ts";
import type { Listener, ListenSettings } from "../../lib/transport/transport.ts";
import { ws } from "../../lib/transport/websocket.ts";
import { EchoRecorder, listenSettings, type Recorder, until } from "./recorder.ts";
import { readFrames } from "./websocket_reference.ts";

export const anyPort = parseEndpoint("ws://127.0.0.1:0");
/** An upgrade that is accepted. */
export const request =
  "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/** A listener, and clients of plain sockets and of Bun's own WebSocket for it. */
export class ListenerFixture implements AsyncDisposable {
  readonly #clients: { close(): void }[] = [];

  private constructor(
    readonly server: Recorder,
    readonly listener: Listener,
    readonly refusals: Failure[],
  ) {}

  static async start(
    own: Partial<ListenSettings> = {},
    server: Recorder = new EchoRecorder(),
  ): Promise<ListenerFixture> {
    const refusals: Failure[] = [];
    const listener = await ws.listen(anyPort, server, listenSettings(refusals, own));
    if (server instanceof EchoRecorder) server.connections = listener;
    return new ListenerFixture(server, listener, refusals);
  }

  /** A plain socket that has sent these bytes. */
  async raw(bytes: Uint8Array | string): Promise<RawClient> {
    const socket = connect(this.listener.endpoint.port, "127.0.0.1");
    const client = new RawClient(socket);
    this.#clients.push(client);
    await once(socket, "connect");
    socket.write(bytes);
    return client;
  }

  /** A plain socket whose upgrade was accepted, on the listener under `id`. */
  async upgraded(): Promise<RawClient> {
    const client = await this.raw(request);
    await until(() => client.head !== undefined, "the response");
    assert.match(client.head!, /^HTTP\/1\.1 101 /);
    return client;
  }

  async webSocket(): Promise<WebSocket> {
    const socket = new WebSocket(formatEndpoint(this.listener.endpoint));
    socket.binaryType = "arraybuffer";
    this.#clients.push(socket);
    await once(socket, "open");
    return socket;
  }

  async closed(id: number): Promise<string> {
    await until(() => this.server.of(id).closes > 0 && !this.server.of(id).isOpen, `close(${id})`);
    const { failure } = this.server.of(id);
    return failure === undefined ? "asked for" : `${failure.kind}: ${failure.detail}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.listener.shutdown();
    for (const client of this.#clients) client.close();
    assert.deepEqual(this.server.violations, []);
    assert.equal(this.server.total("closes"), this.server.total("opens"));
  }
}

/** A plain socket, and what has come on it. */
export class RawClient {
  #bytes = Buffer.alloc(0);
  isEnded = false;

  constructor(readonly socket: Socket) {
    socket.on("data", (bytes: Buffer) => this.#bytes = Buffer.concat([this.#bytes, bytes]));
    socket.on("end", () => this.isEnded = true);
    socket.on("error", () => {});
  }

  /** The response, once it is complete. */
  get head(): string | undefined {
    const end = this.#bytes.indexOf("\r\n\r\n");
    return end < 0 ? undefined : this.#bytes.subarray(0, end + 4).toString("latin1");
  }

  get text(): string {
    return this.#bytes.toString("latin1");
  }

  /** Frames in the form `opcode payload`, close frames as `8 code`. */
  get texts(): string[] {
    const { frames } = readFrames(this.#bytes.subarray(this.head!.length));
    return frames.map(({ opcode, payload }) => {
      const bytes = Buffer.from(payload);
      const isClose = opcode === 8 && bytes.length >= 2;
      return `${opcode} ${isClose ? bytes.readUInt16BE(0) : bytes.toString("latin1")}`;
    });
  }

  close(): void {
    this.socket.destroy();
  }
}
