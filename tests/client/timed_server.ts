import { nowNs } from "../../lib/stats/clock.ts";

export interface TimedServer extends AsyncDisposable {
  readonly port: number;
  /** When each connection opened. */
  readonly openedAtMs: readonly number[];
  /** When each message came, and on which connection, in the order of arrival. */
  readonly messages: readonly { readonly atMs: number; readonly connection: number }[];
}

/** An echo server over TCP for messages of one size that few enough come apart from each other. */
export function timedServer(sizeBytes = 64): Promise<TimedServer> {
  const openedAtMs: number[] = [];
  const messages: { atMs: number; connection: number }[] = [];
  const listener = Bun.listen<{ connection: number; rest: number }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { connection: openedAtMs.length, rest: 0 };
        openedAtMs.push(nowNs() / 1e6);
      },
      data(socket, bytes) {
        const { data } = socket;
        data.rest += bytes.length;
        for (; data.rest >= sizeBytes; data.rest -= sizeBytes) {
          messages.push({ atMs: nowNs() / 1e6, connection: data.connection });
        }
        socket.write(bytes);
      },
    },
  });
  return Promise.resolve({
    port: listener.port,
    openedAtMs,
    messages,
    [Symbol.asyncDispose]() {
      listener.stop(true);
      return Promise.resolve();
    },
  });
}
