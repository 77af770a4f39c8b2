import { afterAll } from "bun:test";
import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { Failure } from "../../lib/stats/failure.ts";
import { makeCertificate } from "../../lib/transport/certificates.ts";
import { quic } from "../../lib/transport/quic.ts";
import type { Dialer, DialSettings, ListenSettings } from "../../lib/transport/transport.ts";
import type { Subject } from "./pair.ts";
import {
  dialSettings,
  EchoRecorder,
  listenSettings,
  Recorder,
  sendAll,
  until,
} from "./recorder.ts";

export const certificate = await makeCertificate({
  names: ["localhost"],
  addresses: ["127.0.0.1", "::1"],
});
export const trusting = { ca: certificate.ca, insecure: false, alpn: [] };

export function endpointAt(port: number, lastPort = port, host = "127.0.0.1") {
  return { scheme: "quic", host, port, lastPort, path: "/" } as const;
}

export async function serve(port: number, lastPort: number, own: Partial<ListenSettings> = {}) {
  const refusals: Failure[] = [];
  const server = new EchoRecorder();
  const settings = listenSettings(refusals, { certificate, ...own });
  const listener = await quic.listen(endpointAt(port, lastPort), server, settings);
  server.connections = listener;
  return { listener, server, refusals };
}

export async function dial(
  port: number,
  lastPort: number,
  capacity: number,
  own: Partial<DialSettings> = {},
  host = "127.0.0.1",
): Promise<{ dialer: Dialer; client: Recorder }> {
  const client = new Recorder("dialer");
  const settings = dialSettings(capacity, { tls: trusting, ...own });
  const dialer = await quic.dial(endpointAt(port, lastPort, host), client, settings);
  return { dialer, client };
}

/** Connects and waits for the outcome. */
export async function settle(dialer: Dialer, client: Recorder, id = 0) {
  dialer.connect(id);
  const record = client.of(id);
  await until(() => record.opens + record.closes > 0, `open(${id}) or close(${id})`);
  return record;
}

/** Connects an id again and waits for its close. */
export async function settleAgain(dialer: Dialer, client: Recorder, id: number) {
  const record = client.of(id);
  const { closes } = record;
  dialer.connect(id);
  await until(() => record.closes > closes, `close(${id})`);
  return record;
}

export async function echo(dialer: Dialer, client: Recorder, id: number, bytes: Uint8Array) {
  const record = client.of(id);
  const start = record.bytes;
  await sendAll(dialer, client, id, bytes, bytes.length);
  await until(() => record.bytes >= start + bytes.length || !record.isOpen, `echo on ${id}`);
  assert.ok(record.isOpen, `closed as ${record.failure?.kind}: ${record.failure?.detail}`);
  assert.ok(client.received(id).subarray(start).equals(bytes));
}

/** UDP sockets that hold a port until `close`. */
export async function holdPort(port = 0): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.on("error", () => {});
  socket.bind(port, "127.0.0.1");
  await once(socket, "listening");
  return socket;
}

/** The first of `count` UDP ports in a row that are free at the moment. */
export async function freeRange(count: number): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const first = await holdPort();
    const { port } = first.address();
    const held = [first];
    try {
      for (let index = 1; index < count; index++) {
        const socket = createSocket("udp4");
        held.push(socket);
        await new Promise<void>((resolve, reject) => {
          socket.once("error", reject);
          socket.bind(port + index, "127.0.0.1", resolve);
        });
      }
      if (port + count < 65536) return port;
    } catch {
      // One of them is in use; elsewhere then.
    } finally {
      for (const socket of held) socket.close();
    }
  }
  throw new Error(`no ${count} free UDP ports in a row`);
}

export const subject: Subject = {
  name: "quic",
  transport: quic,
  file: "quic.ts",
  carrier: "udp",
  listen: () => Promise.resolve({ certificate }),
  dial: () => Promise.resolve({ connectTimeoutMs: 10_000, tls: trusting }),
  refusedKinds: ["refused"],
  resetKinds: ["reset"],
};

/** Fails the tests of the file when a promise was rejected that nobody waited for. */
export function expectNoRejections(): void {
  const unhandled: unknown[] = [];
  process.on("unhandledRejection", (reason) => unhandled.push(reason));
  afterAll(() => assert.deepEqual(unhandled, [], "no rejection escaped"));
}
