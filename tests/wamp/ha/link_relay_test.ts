import { test } from "bun:test";
import assert from "node:assert/strict";
import { LinkRelay } from "../../../lib/wamp/ha/link_relay.ts";
import { until } from "../router/local_router.ts";

/** An echo server, and a relay in front of it. */
async function withRelay(use: (relay: LinkRelay) => Promise<void>): Promise<void> {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket, bytes) => void socket.write(bytes) },
  });
  const relay = new LinkRelay({ hostname: "127.0.0.1", port: server.port });
  try {
    await use(relay);
  } finally {
    relay.close();
    server.stop(true);
  }
}

async function connect(port: number) {
  const seen = { text: "", isClosed: false };
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_, bytes) => void (seen.text += bytes.toString()),
      close: () => void (seen.isClosed = true),
    },
  });
  return { seen, socket };
}

test("LinkRelay passes bytes on until it is cut, and again when it is restored", async () => {
  await withRelay(async (relay) => {
    const { seen, socket } = await connect(relay.port);
    // Before the other side is connected.
    socket.write("early");
    await until(() => seen.text === "early");
    const long = "x".repeat(100_000);
    let at = 0;
    while (at < long.length) {
      at += Math.max(0, socket.write(long.slice(at, at + 16_384)));
      await Bun.sleep(1);
    }
    await until(() => seen.text === `early${long}`);
    relay.cut();
    await until(() => seen.isClosed);
    const second = await connect(relay.port);
    await until(() => second.seen.isClosed);
    assert.equal(second.seen.text, "");
    relay.restore();
    const third = await connect(relay.port);
    third.socket.write("again");
    await until(() => third.seen.text === "again");
    third.socket.terminate();
  });
});
