/** Program: sends back whatever arrives, as fast as it can; what a client does not read, it waits for. */
import { serveParent } from "./child_server.ts";

interface Unsent {
  bytes: Uint8Array;
}

const listener = Bun.listen<Unsent>({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    binaryType: "uint8array",
    open(socket) {
      socket.data = { bytes: new Uint8Array(0) };
    },
    data(socket, bytes) {
      const written = Math.max(0, socket.write(bytes));
      if (written === bytes.length) return;
      socket.data.bytes = bytes.slice(written);
      socket.pause();
    },
    drain(socket) {
      const { data } = socket;
      data.bytes = data.bytes.subarray(Math.max(0, socket.write(data.bytes)));
      if (data.bytes.length === 0) socket.resume();
    },
    error() {},
  },
});

serveParent(listener.port, () => undefined);
