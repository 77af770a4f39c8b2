/** What a connection is made of, as its endpoint's scheme says. */
export type ConnectionKind = "tcp" | "tls" | "udp" | "ws" | "wss" | "quic";

/** What an idle connection takes of this host, in bytes. */
export interface ConnectionCost {
  /** Of a process's own memory: growth of the resident set per connection. */
  readonly client: number;
  readonly server: number;
  /** Of the kernel's, for the socket that each side has; a UDP server has one for all. */
  readonly kernelClient: number;
  readonly kernelServer: number;
}

const kB = 1000;

/**
 * Measured on Linux 6.18, x86-64, Bun 1.4.5: processes by their RSS, the kernel by the growth of
 * slab and per-CPU memory while 15,000 idle connections were held over loopback (TLS 4,000, QUIC
 * 1,600), of which each side has half: 9.3 kB for a pair of TCP sockets, 3.8 kB for a UDP socket.
 * `deno task bench connection_memory` measures them again, on a quiet machine. Where several runs
 * differed, the larger figure stands here. Data that waits in sockets comes on top.
 */
export const connectionCosts: Readonly<Record<ConnectionKind, ConnectionCost>> = {
  tcp: { client: 1.4 * kB, server: 1.1 * kB, kernelClient: 4.7 * kB, kernelServer: 4.7 * kB },
  ws: { client: 1.1 * kB, server: 1.1 * kB, kernelClient: 4.7 * kB, kernelServer: 4.7 * kB },
  tls: { client: 13.4 * kB, server: 7 * kB, kernelClient: 4.9 * kB, kernelServer: 4.9 * kB },
  wss: { client: 13.4 * kB, server: 7 * kB, kernelClient: 4.9 * kB, kernelServer: 4.9 * kB },
  udp: { client: 1.8 * kB, server: 0, kernelClient: 3.8 * kB, kernelServer: 0 },
  quic: { client: 74 * kB, server: 74 * kB, kernelClient: 0, kernelServer: 0 },
};

/** What a QUIC client takes for each UDP socket, over which several connections go: measured too. */
export const quicSocketBytes = 104 * kB;

/**
 * A process that holds no connection yet: memory that no file backs, 9 to 50 MB measured. The 40 MB of
 * the executable count as cached files.
 */
export const processBytes = 50e6;

/**
 * Descriptors that a server with one endpoint has of its own: 11 measured, and one for each process
 * that reads its statistics.
 */
export const serverFds = 12;

/** Threads that a process starts once it works, besides those that it has from its start: measured. */
export const laterThreads = 1;
