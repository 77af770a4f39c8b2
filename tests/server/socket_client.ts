import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { until } from "./running_server.ts";

/** Connects and waits for it. A connection that is refused may be reset before that shows. */
export async function attempt(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {}); // a reset is also told by close
  await new Promise<void>((resolve) => {
    socket.once("connect", resolve);
    socket.once("close", () => resolve());
  });
  return socket;
}

/** Connects; fails where that is refused. */
export async function open(port: number): Promise<Socket> {
  const socket = await attempt(port);
  assert.ok(!socket.destroyed, "connected");
  return socket;
}

/** Sends and waits until as much has come back. */
export async function echoed(socket: Socket, bytes: Uint8Array): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  const take = (part: Buffer) => {
    parts.push(part);
    length += part.length;
  };
  socket.on("data", take);
  socket.write(bytes);
  await until("the echo is there", () => length >= bytes.length || socket.destroyed);
  socket.off("data", take);
  return Buffer.concat(parts);
}
