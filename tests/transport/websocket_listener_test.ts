import { test } from "bun:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { HostLimitError, UsageError } from "../../lib/errors.ts";
import { hasLibc } from "../../lib/host/libc.ts";
import { type Endpoint, parseEndpoint } from "../../lib/transport/endpoint.ts";
import type { Listener } from "../../lib/transport/transport.ts";
import { ws, wss } from "../../lib/transport/websocket.ts";
import { raiseBacklog } from "../../lib/transport/websocket_backlog.ts";
import { dialSettings, EchoRecorder, listenSettings, Recorder, until } from "./recorder.ts";
import { ListenerFixture, request } from "./websocket_fixture.ts";
import { frame } from "./websocket_reference.ts";

const key = [9, 8, 7, 6] as const;

/** Sends every message straight back, empty ones too. */
class DirectEcho extends Recorder {
  listener: Listener | undefined;

  override data(id: number, bytes: Uint8Array, isText: boolean): void {
    super.data(id, bytes, isText);
    this.listener!.send(id, bytes, 0, bytes.length, bytes.length, isText);
  }
}

/** The next message of a client. */
async function answer(socket: WebSocket): Promise<string | Uint8Array> {
  const [event] = await once(socket, "message") as [MessageEvent<string | ArrayBuffer>];
  return typeof event.data === "string" ? event.data : new Uint8Array(event.data);
}

test("WebSocketListener echoes text as text and binary as binary to Bun's own client", async () => {
  const server = new DirectEcho("listener");
  await using fixture = await ListenerFixture.start({}, server);
  server.listener = fixture.listener;
  const socket = await fixture.webSocket();
  const texts = ["a", "", "grüße", "\ufeffwith a mark", "€😀\0\r\n", "é".repeat(100_000)];
  for (const text of texts) {
    socket.send(text);
    assert.equal(await answer(socket), text);
    const { bytes, isText } = server.of(0).chunks.at(-1)!;
    assert.ok(isText && Buffer.from(bytes).equals(Buffer.from(text)));
  }
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
    const bytes = new Uint8Array(size).fill(size);
    socket.send(bytes);
    assert.deepEqual(await answer(socket), bytes);
    assert.equal(server.of(0).chunks.at(-1)!.isText, false);
  }
});

test("WebSocketListener.send() sends several messages at once, in order", async () => {
  await using fixture = await ListenerFixture.start({}, new Recorder("listener"));
  const client = await fixture.upgraded();
  const bytes = new TextEncoder().encode("xaabbccx");
  assert.equal(fixture.listener.send(0, bytes, 1, 6, 2, true), 6);
  assert.equal(fixture.listener.send(0, bytes, 0, 8, 8), 8);
  assert.equal(fixture.listener.send(1, bytes, 0, 8, 8), 0);
  await until(() => client.texts.length === 4, "four messages");
  assert.deepEqual(client.texts, ["1 aa", "1 bb", "1 cc", "2 xaabbccx"]);
});

test("WebSocketListener answers requests that are no upgrade", async () => {
  await using fixture = await ListenerFixture.start();
  const cases: [request: string, answer: RegExp][] = [
    ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", /^HTTP\/1\.1 426 [^]*upgrade: websocket[^]*RFC 6455/i],
    ["POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", /^HTTP\/1\.1 426 /],
    [request.replace(/Sec-WebSocket-Key.*\r\n/, ""), /^HTTP\/1\.1 400 [^]*malformed/],
    [request.replace("Version: 13", "Version: 8"), /^HTTP\/1\.1 426 [^]*Sec-WebSocket-Version: 13/],
    ["\x16\x03\x01\x02\x00\x01\r\n\r\n", /^HTTP\/1\.1 400 /],
  ];
  for (const [text, expected] of cases) {
    const client = await fixture.raw(text);
    await until(() => client.isEnded, "the end");
    assert.match(client.text, expected);
  }
  assert.equal(fixture.server.total("opens"), 0);
  assert.deepEqual(fixture.refusals, []);
});

test("WebSocketListener answers 503 above maxConnections and counts it", async () => {
  await using fixture = await ListenerFixture.start({ maxConnections: 1 });
  await fixture.upgraded();
  const second = await fixture.raw(request);
  await until(() => second.isEnded, "the end");
  assert.match(second.text, /^HTTP\/1\.1 503 /);
  assert.deepEqual(fixture.refusals, [
    { kind: "refused", detail: "max-connections 1 are open" },
  ]);
});

test("WebSocketListener reports how a client ends", async () => {
  const close = (code: number, reason: string) =>
    frame(8, Buffer.concat([Buffer.from([code >>> 8, code & 255]), Buffer.from(reason)]), { key });
  const cases: [bytes: Uint8Array, failure: RegExp, answer: string][] = [
    [close(1000, "bye"), /^closed-by-peer: the client sent a close frame 1000 bye$/, "8 1000"],
    [frame(8, "", { key }), /^closed-by-peer: .*without a code$/, "8 "],
    [frame(2, "x"), /^protocol: .*mask/, "8 1002"],
    [frame(3, "x", { key }), /^protocol: .*opcode/, "8 1002"],
    [frame(1, Uint8Array.of(0xff), { key }), /^protocol: .*UTF-8/, "8 1007"],
    [frame(2, new Uint8Array(1001), { key }), /^protocol: .*too big/, "8 1009"],
  ];
  for (const [bytes, failure, expected] of cases) {
    await using fixture = await ListenerFixture.start({ maxMessageBytes: 1000 });
    const client = await fixture.upgraded();
    client.socket.write(bytes);
    assert.match(await fixture.closed(0), failure);
    await until(() => client.isEnded, "the end");
    assert.deepEqual(client.texts, [expected]);
  }
  for (const leave of ["end", "resetAndDestroy"] as const) {
    await using fixture = await ListenerFixture.start();
    (await fixture.upgraded()).socket[leave]();
    assert.match(await fixture.closed(0), /^reset: .*without a close frame/);
  }
});

test("WebSocketListener.close() sends a close frame, terminate() none", async () => {
  await using fixture = await ListenerFixture.start();
  const first = await fixture.upgraded();
  fixture.listener.pause(0);
  fixture.listener.close(0);
  assert.equal(await fixture.closed(0), "asked for");
  await until(() => first.isEnded, "the end");
  assert.deepEqual(first.texts, ["8 1000"]);
  const second = await fixture.upgraded();
  fixture.listener.terminate(0);
  assert.equal(fixture.server.of(0).closes, 2);
  await until(() => second.isEnded, "the end");
  assert.deepEqual(second.texts, []);
});

test("WebSocketListener holds no more than maxPendingBytes for a client that does not read", async () => {
  const maxPendingBytes = 300_000;
  await using fixture = await ListenerFixture.start({ maxPendingBytes }, new Recorder("listener"));
  const client = await fixture.upgraded();
  client.socket.pause();
  const message = new Uint8Array(50_000);
  let messages = 0;
  for (let round = 0; round < 20; round++) {
    while (fixture.listener.send(0, message, 0, message.length, message.length) > 0) messages++;
    assert.ok(messages < 10_000);
    await Bun.sleep(5);
  }
  assert.equal(fixture.server.of(0).isOpen, true);
  assert.equal(fixture.server.of(0).drains, 0);
  client.socket.resume();
  await until(() => fixture.server.of(0).drains === 1, "drain");
  await until(() => client.texts.length === messages, `${messages} messages`);
});

test("WebSocketListener ends a client that pings and does not read", async () => {
  await using fixture = await ListenerFixture.start(
    { maxPendingBytes: 100_000 },
    new Recorder("listener"),
  );
  const client = await fixture.upgraded();
  client.socket.pause();
  const pings = Buffer.concat(
    Array.from({ length: 1000 }, () => frame(9, "p".repeat(125), { key })),
  );
  for (let i = 0; i < 300 && fixture.server.of(0).isOpen; i++) {
    client.socket.write(pings);
    await Bun.sleep(1);
  }
  assert.match(await fixture.closed(0), /^reset: /);
});

test("WebSocketListener survives a handler that throws, and says so", async () => {
  class Throwing extends EchoRecorder {
    override data(id: number, bytes: Uint8Array, isText: boolean): void {
      if (bytes.length === 5) throw new Error("five is too many");
      super.data(id, bytes, isText);
    }
  }
  await using fixture = await ListenerFixture.start({}, new Throwing());
  const first = await fixture.upgraded();
  const second = await fixture.upgraded();
  first.socket.write(frame(2, "12345", { key }));
  assert.equal(await fixture.closed(0), "protocol: internal error: five is too many");
  await until(() => first.isEnded, "the end");
  assert.deepEqual(first.texts, ["8 1011"]);
  second.socket.write(frame(2, "1234", { key }));
  await until(() => second.texts.length === 1, "the echo");
});

test("WebSocketListener.shutdown() delivers what is queued", async () => {
  await using fixture = await ListenerFixture.start({}, new Recorder("listener"));
  const client = await fixture.upgraded();
  client.socket.pause();
  const message = new Uint8Array(50_000);
  for (let i = 0; i < 200; i++) {
    fixture.listener.send(0, message, 0, message.length, message.length);
  }
  const stopping = fixture.listener.shutdown();
  setTimeout(() => client.socket.resume(), 50);
  await stopping;
  assert.equal(await fixture.closed(0), "asked for");
  await until(() => client.isEnded, "the end");
  const { texts } = client;
  assert.equal(texts.length, 201);
  assert.equal(texts[200], "8 1001");
});

test("ws.listen() names what is wrong with an endpoint or its settings", async () => {
  await using fixture = await ListenerFixture.start();
  const listen = (endpoint: Endpoint) =>
    ws.listen(endpoint, new Recorder("listener"), listenSettings([]));
  await assert.rejects(listen(fixture.listener.endpoint), (error) => {
    return error instanceof HostLimitError && /in use/.test(error.message);
  });
  await assert.rejects(listen(parseEndpoint("ws://192.0.2.1:0")), HostLimitError);
  const secure = wss.listen(
    parseEndpoint("wss://127.0.0.1:0"),
    new Recorder("listener"),
    listenSettings([]),
  );
  await assert.rejects(secure, UsageError);
});

test("ws.listen() shares a port where reusePort says so", async () => {
  await using first = await ListenerFixture.start({ reusePort: true });
  const server = new Recorder("listener");
  const second = await ws.listen(
    first.listener.endpoint,
    server,
    listenSettings([], { reusePort: true }),
  );
  assert.equal(second.endpoint.port, first.listener.endpoint.port);
  await second.shutdown();
});

test.skipIf(process.platform !== "linux" || !hasLibc())(
  "raiseBacklog() finds the socket that listens on a port",
  async () => {
    await using fixture = await ListenerFixture.start();
    const { port } = fixture.listener.endpoint;
    await fixture.upgraded(); // an accepted socket has the same port and does not listen
    assert.equal(raiseBacklog(port, 4096), 1);
    await fixture.listener.shutdown();
    assert.equal(raiseBacklog(port, 4096), 0);
  },
);

test.skipIf(process.platform === "win32")(
  "WebSocketListener turns clients away before the descriptors run out, and serves the others",
  async () => {
    const script = fileURLToPath(import.meta.resolve("./echo_peer.ts"));
    const peer = Bun.spawn(
      [
        "sh",
        "-c",
        'ulimit -n 160 && exec "$0" "$@"',
        process.execPath,
        script,
        "websocket.ts",
        "ws",
      ],
      { stdout: "pipe", stderr: "inherit" },
    );
    try {
      let port = "";
      for await (const piece of peer.stdout) {
        port += new TextDecoder().decode(piece);
        if (port.includes("\n")) break;
      }
      const client = new Recorder("dialer");
      const endpoint = parseEndpoint(`ws://127.0.0.1:${port.trim()}`);
      const dialer = await ws.dial(endpoint, client, dialSettings(300));
      for (let id = 0; id < 300; id++) {
        dialer.connect(id);
        await until(() => client.of(id).opens + client.of(id).closes > 0, `${id}`);
      }
      const refused = [...client.records.values()].filter((record) => !record.isOpen);
      assert.ok(client.openIds.length >= 50 && refused.length >= 100, `${refused.length} refused`);
      for (const { failure } of refused) {
        assert.equal(failure?.kind, "refused");
        assert.match(failure!.detail, /503/);
      }
      for (const id of client.openIds) dialer.send(id, new Uint8Array(10), 0, 10, 10);
      await until(() => client.total("bytes") === client.openIds.length * 10, "every echo");
      await dialer.shutdown();
    } finally {
      peer.kill();
      await peer.exited;
    }
  },
);
