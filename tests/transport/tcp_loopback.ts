/** What tests of TCP connect from and to. */
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { Endpoint } from "../../lib/transport/endpoint.ts";

export function endpointOf(port: number, host = "127.0.0.1"): Endpoint {
  return { scheme: "tcp", host, port, lastPort: port, path: "/" };
}

/** A server that only reads. */
export async function nodeServer(host: string): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => void socket.on("error", () => {}).resume());
  server.listen(0, host);
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

/** Ports that are free now, and were a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => nodeServer("127.0.0.1")));
  await Promise.all(servers.map(({ server }) => new Promise((done) => server.close(done))));
  return servers.map(({ port }) => port);
}
