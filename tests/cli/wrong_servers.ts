/** Servers that do not speak what their clients expect, on ports of loopback that the kernel chose. */
import { createHash, randomBytes } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { CertificatePair } from "../../lib/transport/transport.ts";
import { listening } from "../loopback_server.ts";

export interface WrongServer extends AsyncDisposable {
  readonly port: number;
}

/** What a server does with a connection. */
export type Behaviour = (socket: Socket) => void;

export function tcpServer(behaviour: Behaviour): Promise<WrongServer> {
  return listening(createServer({ allowHalfOpen: true }, behaviour));
}

export function tlsServer(behaviour: Behaviour, pair: CertificatePair): Promise<WrongServer> {
  const server = createTlsServer({ ...pair }, (socket) => {
    socket.on("error", () => {});
    behaviour(socket);
  });
  return listening(server.on("tlsClientError", () => {}));
}

export function httpServer(): Promise<WrongServer> {
  return listening(createHttpServer((_, response) => void response.end("a page\n")));
}

/** @param answer to each datagram; undefined: none. */
export async function udpServer(answer: (message: Uint8Array) => Uint8Array | undefined) {
  const socket = createSocket("udp4");
  socket.on("message", (message, from) => {
    const reply = answer(message);
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    port: socket.address().port,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  } satisfies WrongServer;
}

export const echo: Behaviour = (socket) => void socket.pipe(socket);
export const silent: Behaviour = (socket) => void socket.resume();
export const hangUp: Behaviour = (socket) => void socket.resume().end();
export const reset: Behaviour = (socket) => void socket.resetAndDestroy();

/** Writes without waiting for anything. */
export const greet = (text: string | Uint8Array): Behaviour => (socket) =>
  void socket.resume().write(text);

/** Answers whatever comes with random bytes. */
export const babble: Behaviour = (socket) =>
  void socket.on("data", () => void socket.write(randomBytes(300)));

/** Sends back all but the last bytes of the first thing that comes, and then the end. */
export const truncate: Behaviour = (socket) =>
  void socket.once("data", (bytes: Uint8Array) => {
    socket.resume();
    socket.end(bytes.subarray(0, bytes.length - 10));
  });

/** Accepts a WebSocket, and then writes bytes, right or wrong; ends when its client does. */
export const upgradeThen = (bytes: Uint8Array): Behaviour => (socket) => {
  let request = "";
  socket.on("end", () => socket.end());
  socket.on("data", (chunk) => {
    if (request.endsWith("\r\n\r\n")) return;
    request += chunk.toString("latin1");
    const key = /^sec-websocket-key: *(\S+)/im.exec(request)?.[1];
    if (!request.endsWith("\r\n\r\n") || key === undefined) return;
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.write(bytes);
  });
};
