import { test } from "bun:test";
import assert from "node:assert/strict";
import { makeCertificate } from "../../../lib/transport/certificates.ts";
import { routerMetrics, routerStats } from "../../../lib/wamp/router/router_stats.ts";
import { msgpack } from "../../../lib/wamp/serialization/msgpack.ts";
import { type LocalRouter, until, withRouter } from "./local_router.ts";
import { RawClient } from "./raw_client.ts";

const portOf = (url: string) => Number(new URL(url.replace(/^\w+:/, "http:")).port);

/** A frame of rawsocket. */
function rawFrame(text: string): Uint8Array {
  return Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
}

/** A masked text frame of a WebSocket; a mask of zeros changes nothing. */
function webSocketFrame(text: string): Uint8Array {
  const head = text.length < 126 ? [0x81, 0x80 | text.length] : [0x81, 0xfe, 0, text.length];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), Buffer.from(text)]);
}

const upgrade = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
  "Sec-WebSocket-Protocol: wamp.2.json\r\n\r\n";

/** Subscribes, and then reads nothing. */
async function subscribeAndStall(
  port: number,
  hello: string | Uint8Array,
  frame: (text: string) => Uint8Array,
  hasTls = false,
) {
  let heard = "";
  let isReady = !hasTls;
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    ...(hasTls ? { tls: { rejectUnauthorized: false } } : {}),
    socket: {
      handshake: () => void (isReady = true),
      data(socket, data) {
        heard += data.toString("latin1");
        if (heard.includes("[33,1,")) socket.pause();
      },
    },
  });
  await until(() => isReady);
  socket.write(hello);
  await until(() => heard.length > 0);
  socket.write(frame('[1,"realm1",{"roles":{"subscriber":{}}}]'));
  socket.write(frame('[32,1,{},"com.example.a"]'));
  await until(() => heard.includes("[33,1,"));
  return socket;
}

/** @param batch publications between two acknowledgements. */
async function stall(
  local: LocalRouter,
  listener: number,
  textLength = 100_000,
  batch = 1,
): Promise<void> {
  const { router, ws } = local;
  const port = portOf([ws, local.rs, local.wss][listener]!);
  const slow = listener === 1
    ? await subscribeAndStall(port, new Uint8Array([0x7f, 0xf1, 0, 0]), rawFrame)
    : await subscribeAndStall(port, upgrade, webSocketFrame, listener === 2);
  const reader = await RawClient.join(ws);
  await reader.ask([32, 1, {}, "com.example.a"]);
  const publisher = await RawClient.join(ws, {}, msgpack);
  const { sessions } = router.realmOf("realm1")!;
  assert.equal(sessions.size, 3);
  const text = "x".repeat(textLength);
  let published = 0;
  // The kernel buffers some megabytes; beyond them and the bound the connection has to go.
  while (sessions.size === 3 && published * textLength < 100e6) {
    for (let count = 1; count < batch; count++) {
      publisher.send([16, ++published, {}, "com.example.a", [text]]);
    }
    await publisher.ask([16, ++published, { acknowledge: true }, "com.example.a", [text]]);
  }
  assert.equal(sessions.size, 2);
  const { listeners } = routerStats(router);
  assert.deepEqual(
    listeners.map(({ slowClosed }) => slowClosed),
    listeners.map((_, index) => index === listener ? 1 : 0),
  );
  assert.match(routerMetrics(router), /^holdfast_wamp_slow_closed_total\{node="node1"\} 1$/m);
  await until(() => reader.received.length === published);
  slow.terminate();
  for (const client of [reader, publisher]) client.close();
}

test(
  "a rawsocket that does not read is disconnected at the bound, others get every event",
  async () => {
    await withRouter((local) => stall(local, 1), {}, { maxPendingBytes: 2 ** 20 });
  },
  20_000,
);

test("a WebSocket that does not read small messages is ended and counted too", async () => {
  await withRouter((local) => stall(local, 0, 4000, 25), {}, { maxPendingBytes: 2 ** 20 });
}, 20_000);

test("a WebSocket over TLS that does not read is ended and counted too", async () => {
  const certificate = await makeCertificate({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const settings = { maxPendingBytes: 2 ** 20, certificate };
  await withRouter((local) => stall(local, 2), {}, settings);
}, 20_000);

test(
  "a WebSocket that does not read is disconnected at the bound, others get every event",
  async () => {
    await withRouter((local) => stall(local, 0), {}, { maxPendingBytes: 2 ** 20 });
  },
  20_000,
);
