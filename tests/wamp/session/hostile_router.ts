/** What a hostile router sends once a client has said something; per connection. */
export type Attack = (send: (data: string | Uint8Array) => void, turn: number) => void;

/**
 * A WebSocket server that agrees to any subprotocol and then sends what it likes. `prepare` is sent first,
 * in answer to HELLO (WELCOME, …).
 */
export function hostileRouter(prepare: readonly (string | Uint8Array)[], attack: Attack) {
  let turns = 0;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, server) {
      const offered = request.headers.get("sec-websocket-protocol") ?? "";
      const headers = { "Sec-WebSocket-Protocol": offered.split(",")[0]! };
      return server.upgrade(request, { headers, data: undefined })
        ? undefined
        : new Response("no", { status: 400 });
    },
    websocket: {
      data: undefined,
      message(socket) {
        const next = prepare.length > 0 && socket.data === undefined;
        socket.data = true as unknown as undefined;
        if (next) { for (const each of prepare) socket.send(each); }
        attack((data) => void socket.send(data), turns++);
      },
    },
  });
  return {
    url: `ws://127.0.0.1:${server.port}/ws`,
    get turns() {
      return turns;
    },
    stop: () => server.stop(true),
  };
}
