/** Echo servers on loopback that remember whom they served. */
import { createPrivateKey } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { createServer as createTlsServer, type TlsOptions, type TLSSocket } from "node:tls";
import {
  destroyEndpoint,
  nativeQuic,
  type NativeSessionOptions,
  newEndpoint,
} from "../../lib/transport/quic_native.ts";
import type { CertificatePair } from "../../lib/transport/transport.ts";
import { listening } from "../loopback_server.ts";

export interface ObservingServer extends AsyncDisposable {
  readonly port: number;
  /** The source port of each connection, as the server saw it. */
  readonly sourcePorts: readonly number[];
}

export interface ObservingTlsServer extends ObservingServer {
  /** The name that each connection asked for; false: none. */
  readonly servernames: readonly unknown[];
  /** The common name in the certificate that each connection showed. */
  readonly clientNames: readonly (string | undefined)[];
}

export async function tcpServer(): Promise<ObservingServer> {
  const sourcePorts: number[] = [];
  const server = await listening(createServer((socket) => {
    sourcePorts.push(socket.remotePort!);
    socket.pipe(socket);
  }));
  return { ...server, sourcePorts };
}

export async function tlsServer(options: TlsOptions): Promise<ObservingTlsServer> {
  const sourcePorts: number[] = [];
  const servernames: unknown[] = [];
  const clientNames: (string | undefined)[] = [];
  const tls = createTlsServer(options, (socket: TLSSocket & { servername?: unknown }) => {
    sourcePorts.push(socket.remotePort!);
    servernames.push(socket.servername);
    const { CN } = socket.getPeerCertificate()?.subject ?? {};
    clientNames.push(typeof CN === "string" ? CN : undefined);
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  const server = await listening(tls.on("tlsClientError", () => {}));
  return { ...server, sourcePorts, servernames, clientNames };
}

/** `sourcePorts` has each port once, in the order in which they first sent something. */
export async function udpServer(): Promise<ObservingServer> {
  const seen = new Set<number>();
  const sourcePorts: number[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (message, from) => {
    if (!seen.has(from.port)) sourcePorts.push(from.port);
    seen.add(from.port);
    socket.send(message, from.port, from.address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    port: socket.address().port,
    sourcePorts,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => socket.close(() => resolve()));
    },
  };
}

/** @param tls its presence makes it a wss server. */
export function webSocketServer(tls?: Bun.TLSOptions): ObservingServer {
  const sourcePorts: number[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    ...(tls === undefined ? {} : { tls }),
    fetch(request, server) {
      sourcePorts.push(server.requestIP(request)!.port);
      if (!server.upgrade(request)) return new Response("no upgrade", { status: 426 });
    },
    websocket: { message: (socket, message) => void socket.send(message) },
  });
  return {
    port: server.port!,
    sourcePorts,
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  };
}

export interface MutualQuicServer extends AsyncDisposable {
  readonly port: number;
  /** How many streams it has echoed. */
  readonly streams: number;
}

/** A QUIC server that lets in only who shows a certificate of an authority. */
export async function mutualQuicServer(
  own: CertificatePair,
  ca: string,
): Promise<MutualQuicServer> {
  const endpoint = newEndpoint(nativeQuic(), "127.0.0.1:0");
  let streams = 0;
  const options: NativeSessionOptions & { verifyClient: true } = {
    endpoint,
    alpn: ["echo"],
    sni: { "*": { keys: [createPrivateKey(own.key)], certs: [Buffer.from(own.cert)] } },
    ca: [Buffer.from(ca)],
    verifyClient: true,
    transportParams: { maxIdleTimeout: 10, initialMaxStreamsBidi: 1, initialMaxStreamsUni: 0 },
    onerror() {},
    async onstream(stream) {
      streams++;
      try {
        // Few bytes: there is always room for them.
        for await (const chunks of stream) {
          for (const chunk of chunks) stream.writer.writeSync(chunk);
        }
      } catch {
        // The session has ended.
      }
    },
  };
  await nativeQuic().listen(() => {}, options);
  return {
    port: endpoint.address!.port,
    get streams() {
      return streams;
    },
    [Symbol.asyncDispose]: () => destroyEndpoint(endpoint, 2000),
  };
}
