import { json } from "../../../lib/wamp/serialization/json.ts";
import type { Serializer } from "../../../lib/wamp/serialization/serializer.ts";
import { subprotocolOf } from "../../../lib/wamp/serialization/subprotocol.ts";
import { packBatch, unpackBatch } from "../../../lib/wamp/serialization/batch.ts";

const roles = {
  publisher: {},
  subscriber: {},
  caller: { features: { call_canceling: true, progressive_call_results: true } },
  callee: { features: { call_canceling: true, progressive_call_results: true } },
};

/** The code of a message that the serializer cannot decode; its frame follows. */
export const unreadable = -1;

/** A client that says and shows every message as it is. */
export class RawClient {
  readonly received: unknown[][] = [];
  readonly serializer: Serializer;
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
  session = 0;
  readonly #isBatched: boolean;
  #waiting: (() => void)[] = [];

  private constructor(socket: WebSocket, serializer: Serializer, isBatched: boolean) {
    this.socket = socket;
    this.serializer = serializer;
    this.#isBatched = isBatched;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      const frame = typeof data === "string" ? data : new Uint8Array(data as ArrayBuffer);
      if (isBatched) unpackBatch(frame as Uint8Array, (one) => this.#take(one));
      else this.#take(frame);
    };
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ code }) => {
        resolve(code);
        this.#wake();
      };
    });
  }

  static async connect(url: string, serializer = json, isBatched = false): Promise<RawClient> {
    const { name } = subprotocolOf(serializer.name, isBatched);
    // Whose certificate it is does not matter here.
    const options = { protocols: [name], tls: { rejectUnauthorized: false } };
    const socket = new WebSocket(url, options as unknown as string[]);
    const client = new RawClient(socket, serializer, isBatched);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error(`cannot connect to ${url}`)));
    });
    return client;
  }

  /** Connects and joins a realm. */
  static async join(
    url: string,
    details: Record<string, unknown> = {},
    serializer = json,
    isBatched = false,
  ): Promise<RawClient> {
    const client = await RawClient.connect(url, serializer, isBatched);
    const [code, session, reason] = await client.ask([1, "realm1", { roles, ...details }]);
    if (code !== 2) throw new Error(`no WELCOME: ${reason} ${JSON.stringify(session)}`);
    client.session = session as number;
    return client;
  }

  send(...messages: readonly (readonly unknown[])[]): void {
    const frames = messages.map((message) => this.serializer.encode(message));
    if (this.#isBatched) {
      this.socket.send(packBatch(frames as Uint8Array[]) as Uint8Array<ArrayBuffer>);
    } else for (const frame of frames) this.socket.send(frame as string);
  }

  /** Sends a message and takes the next one that comes. */
  ask(message: readonly unknown[]): Promise<unknown[]> {
    this.send(message);
    return this.next();
  }

  /** The next message that has not been taken. */
  async next(limitMs = 15_000): Promise<unknown[]> {
    const endMs = performance.now() + limitMs;
    while (this.received.length === 0) {
      if (this.socket.readyState >= WebSocket.CLOSING) throw new Error("the connection has ended");
      const restMs = endMs - performance.now();
      if (restMs <= 0) throw new Error(`no message came in ${limitMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, restMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.received.shift()!;
  }

  close(): void {
    this.socket.close();
  }

  #take(frame: string | Uint8Array): void {
    try {
      this.received.push(this.serializer.decode(frame));
    } catch {
      this.received.push([unreadable, frame]);
    }
    this.#wake();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
