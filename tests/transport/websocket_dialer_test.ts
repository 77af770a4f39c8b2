import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import { parseEndpoint } from "../../lib/transport/endpoint.ts";
import { makeCertificate } from "../../lib/transport/certificates.ts";
import { ws, wss } from "../../lib/transport/websocket.ts";
import { seededRandom } from "../stats/seeded_random.ts";
import { dialSettings, pattern, Recorder, sendAll, until } from "./recorder.ts";
import { RawServer, response } from "./websocket_raw_server.ts";
import { frame, randomBytes } from "./websocket_reference.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

test("ws.dial() refuses a path with a fragment", async () => {
  const dialing = ws.dial(
    parseEndpoint("ws://localhost/#x"),
    new Recorder("dialer"),
    dialSettings(1),
  );
  await assert.rejects(dialing, UsageError);
});

test("WebSocketDialer.send() masks its frames and keeps text and binary apart", async () => {
  await using server = await RawServer.start();
  const peer = await server.opened(0);
  assert.match(peer.request, /^GET \/test HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/);
  const text = bytesOf("héllo");
  assert.equal(server.dialer.send(0, text, 0, text.length, text.length, true), text.length);
  assert.equal(server.dialer.send(0, text, 1, 2, 2), 2);
  assert.equal(server.dialer.send(0, bytesOf("aabbcc"), 0, 6, 2), 6);
  assert.equal(server.dialer.send(0, text, 0, 0, 0, true), 0);
  await until(() => peer.frames.length === 6, "the frames");
  assert.deepEqual(peer.texts, ["1 héllo", "2 é", "2 aa", "2 bb", "2 cc", "1 "]);
  assert.ok(peer.frames.every((each) => each.key !== undefined && each.isFinal));
});

test("WebSocketDialer passes on messages that come with the response, or split anywhere", async () => {
  const messages = Buffer.concat([
    frame(1, "first"),
    frame(2, "sec", { isFinal: false }),
    frame(9, "p"),
    frame(0, "ond"),
    frame(10, "unasked"),
    frame(2, new Uint8Array(70_000)),
  ]);
  await using server = await RawServer.start({}, (peer, accept) => {
    const head = response(accept);
    if (server.peers.length === 1) {
      peer.socket.write(Buffer.concat([Buffer.from(head), messages]));
      return;
    }
    // The second connection gets it in small pieces.
    const all = Buffer.concat([Buffer.from(head), messages.subarray(0, 40)]);
    peer.socket.setNoDelay(true);
    let at = 0;
    const timer = setInterval(() => {
      peer.socket.write(all.subarray(at, at + 3));
      at += 3;
      if (at < all.length) return;
      clearInterval(timer);
      peer.socket.write(messages.subarray(40));
    }, 1);
  });
  for (const id of [0, 1]) {
    const peer = await server.opened(id);
    const { chunks } = server.client.of(id);
    await until(() => chunks.length === 3, "three messages");
    assert.deepEqual(
      chunks.map(({ bytes, isText }) => [Buffer.from(bytes.subarray(0, 9)).toString(), isText]),
      [["first", true], ["second", false], ["\0".repeat(9), false]],
    );
    assert.equal(chunks[2]!.bytes.length, 70_000);
    await until(() => peer.frames.length === 1, "the pong");
    assert.deepEqual(peer.texts, ["10 p"]);
  }
});

test("WebSocketDialer tells why a handshake fails", async () => {
  const cases: [answer: string | "end" | "reset", failure: RegExp][] = [
    ["HTTP/1.1 503 Full\r\n\r\n", /^refused: .*HTTP\/1\.1 503 Full/],
    [
      "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
      /^protocol: .*HTTP\/1\.1 403 Forbidden/,
    ],
    ["SMTP ready\r\n", /^protocol: .*not HTTP\/1\.1: "SMTP ready"/],
    [response("AAAA"), /^protocol: .*wrong Sec-WebSocket-Accept/],
    ["end", /^closed-by-peer: .*instead of answering/],
    ["reset", /^reset: /],
  ];
  for (const [answer, failure] of cases) {
    await using server = await RawServer.start({}, ({ socket }) => {
      if (answer === "end") socket.end();
      else if (answer === "reset") socket.resetAndDestroy();
      else socket.write(answer);
    });
    server.dialer.connect(0);
    assert.match(await server.closed(0), failure);
    assert.equal(server.client.of(0).opens, 0);
  }
});

test("WebSocketDialer gives up a handshake that is not answered in time", async () => {
  await using server = await RawServer.start({ connectTimeoutMs: 200 }, () => {});
  const startMs = performance.now();
  server.dialer.connect(0);
  assert.match(await server.closed(0), /^timeout: no answer.* 200 ms/);
  assert.ok(performance.now() - startMs >= 195);
  // Nor when the answer never ends.
  await using slow = await RawServer.start({ connectTimeoutMs: 200 }, ({ socket }) => {
    socket.write("HTTP/1.1 101 Switch");
  });
  slow.dialer.connect(0);
  assert.match(await slow.closed(0), /^timeout: /);
});

test(
  "WebSocketDialer.send() accepts whole messages against a server that does not read",
  async () => {
    await using server = await RawServer.start();
    const peer = await server.opened(0);
    peer.socket.pause();
    const messageBytes = 10_001;
    const bytes = pattern(messageBytes * 20);
    let accepted = 0;
    let last = bytes.length;
    while (last === bytes.length) {
      last = server.dialer.send(0, bytes, 0, bytes.length, messageBytes);
      assert.equal(last % messageBytes, 0);
      accepted += last;
      assert.ok(accepted < 1e9);
    }
    const { drains } = server.client.of(0);
    // A ping that comes meanwhile is answered in its place, never inside a frame.
    await peer.write(frame(9, "still there?"));
    await Bun.sleep(50);
    assert.equal(server.dialer.send(0, bytes, 0, messageBytes, messageBytes), 0);
    peer.socket.resume();
    await until(() => server.client.of(0).drains > drains, "drain");
    await sendAll(server.dialer, server.client, 0, bytes.subarray(0, messageBytes), messageBytes);
    const count = accepted / messageBytes + 1;
    await until(
      () => peer.frames.length === count + 1,
      () => `${peer.frames.length} of ${count + 1} frames`,
    );
    const { frames } = peer;
    const pongs = frames.filter((each) => each.opcode === 10);
    assert.deepEqual(pongs.map((each) => Buffer.from(each.payload).toString()), ["still there?"]);
    const received = Buffer.concat(
      frames.filter((each) => each.opcode === 2).map((f) => f.payload),
    );
    for (let at = 0; at < received.length; at += messageBytes) {
      const from = at % bytes.length;
      const isLast = at === received.length - messageBytes;
      const expected = isLast
        ? bytes.subarray(0, messageBytes)
        : bytes.subarray(from, from + messageBytes);
      if (!isLast) assert.ok(received.subarray(at, at + messageBytes).equals(expected));
    }
  },
  60_000,
);

test(
  "WebSocketDialer holds a bounded amount for a server that pings and does not read",
  async () => {
    await using server = await RawServer.start();
    const peer = await server.opened(0);
    peer.socket.pause();
    const message = new Uint8Array(60_000);
    // Until the buffers of the kernel, which grow meanwhile, take no more.
    for (let round = 0; round < 5; round++) {
      while (server.dialer.send(0, message, 0, message.length, message.length) > 0);
      await Bun.sleep(30);
    }
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => frame(9, "p".repeat(125))));
    for (let i = 0; i < 10; i++) await peer.write(pings);
    await Bun.sleep(50);
    peer.socket.resume();
    await until(() => server.client.of(0).drains > 0, "drain");
    await until(() => peer.frames.some((each) => each.opcode === 10), "a pong");
    const pongs = peer.frames.filter((each) => each.opcode === 10).length;
    assert.ok(pongs < 1000, `${pongs} of 10000 pings were answered`);
  },
  60_000,
);

test("WebSocketDialer never throws on random bytes, only ends the connection", async () => {
  const random = seededRandom(6);
  for (let round = 0; round < 20; round++) {
    await using server = await RawServer.start();
    const peer = await server.opened(0);
    const bytes = randomBytes(5000, random);
    await peer.write(bytes);
    peer.socket.end();
    assert.match(await server.closed(0), /^(protocol|closed-by-peer|reset): /);
  }
});

const certificate = await makeCertificate({ names: ["localhost"], addresses: ["127.0.0.1"] });

test("WebSocketDialer speaks with Bun's own server, over ws and wss", async () => {
  for (const transport of [ws, wss]) {
    using peer = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      ...(transport === wss ? { tls: { cert: certificate.cert, key: certificate.key } } : {}),
      fetch: (request, server) => {
        const path = new URL(request.url).pathname;
        if (path === "/echo" && server.upgrade(request)) return undefined;
        return new Response("nobody", { status: 404 });
      },
      websocket: {
        message(socket, message) {
          if (message === "close") socket.close(4000, "as you wish");
          else socket.send(message);
        },
      },
    });
    const client = new Recorder("dialer");
    const at = (path: string) =>
      parseEndpoint(`${transport.scheme}://127.0.0.1:${peer.port}${path}`);
    const settings = dialSettings(2, { tls: { ca: certificate.ca, insecure: false, alpn: [] } });
    const dialer = await transport.dial(at("/echo"), client, settings);
    dialer.connect(0);
    await until(() => client.of(0).isOpen, "open");
    const record = client.of(0);
    for (const size of [1, 125, 126, 65_535, 65_536, 1_000_000]) {
      record.chunks.length = 0;
      const bytes = pattern(size, size);
      await sendAll(dialer, client, 0, bytes, size);
      await until(() => record.chunks.length === 1, "echo");
      assert.ok(Buffer.from(bytes).equals(record.chunks[0]!.bytes));
      assert.equal(record.chunks[0]!.isText, false);
    }
    record.chunks.length = 0;
    const text = bytesOf("\ufeffgrüße €😀\0");
    dialer.send(0, text, 0, text.length, text.length, true);
    await until(() => record.chunks.length === 1, "echo");
    assert.deepEqual(record.chunks[0], { bytes: text, isText: true });
    const close = bytesOf("close");
    dialer.send(0, close, 0, close.length, close.length, true);
    await until(() => !record.isOpen, "close");
    assert.deepEqual(record.failure, {
      kind: "closed-by-peer",
      detail: "the server sent a close frame 4000 as you wish",
    });
    await dialer.shutdown();

    const other = await transport.dial(at("/other"), client, settings);
    other.connect(1);
    await until(() => client.of(1).closes === 1, "close");
    assert.equal(client.of(1).failure?.kind, "protocol");
    assert.match(client.of(1).failure!.detail, /HTTP\/1\.1 404 Not Found/);
    await other.shutdown();
    assert.deepEqual(client.violations, []);
  }
});

test("wss.dial() reports a certificate that does not verify as tls", async () => {
  using peer = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: certificate.cert, key: certificate.key },
    fetch: () => new Response("x"),
  });
  const client = new Recorder("dialer");
  const dialer = await wss.dial(
    parseEndpoint(`wss://127.0.0.1:${peer.port}`),
    client,
    dialSettings(1, { tls: { insecure: false, alpn: [] } }),
  );
  dialer.connect(0);
  await until(() => client.of(0).closes === 1, "close");
  assert.equal(client.of(0).failure?.kind, "tls");
  await dialer.shutdown();
});
