import { test } from "bun:test";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { UsageError } from "../../lib/errors.ts";
import { parseEndpoint } from "../../lib/transport/endpoint.ts";
import { acceptOf, UpgradeHandshakes } from "../../lib/transport/websocket_handshake.ts";
import { seededRandom } from "../stats/seeded_random.ts";
import { randomBytes } from "./websocket_reference.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const requestOf = (handshakes: UpgradeHandshakes, id = 0) =>
  new TextDecoder().decode(handshakes.request(id));
const keyOf = (request: string) => /^Sec-WebSocket-Key: (.*)\r$/m.exec(request)![1]!;
const accept = (key: string) =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

/** A handshake whose request is out, and the accept that answers it. */
function begun(): { handshakes: UpgradeHandshakes; accepted: string } {
  const handshakes = new UpgradeHandshakes(parseEndpoint("ws://localhost:1"), 2);
  return { handshakes, accepted: accept(keyOf(requestOf(handshakes))) };
}

const response = (accepted: string) =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Accept: ${accepted}\r\n\r\n`;

test("acceptOf() gives the value in RFC 6455 1.3", () => {
  assert.equal(acceptOf("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
});

test("UpgradeHandshakes.request() asks as RFC 6455 4.1 wants it", () => {
  const request = requestOf(new UpgradeHandshakes(parseEndpoint("ws://example.com/chat?a=b"), 1));
  const [first, ...lines] = request.split("\r\n");
  assert.equal(first, "GET /chat?a=b HTTP/1.1");
  assert.deepEqual(lines.slice(-2), ["", ""]);
  const headers = new Map(
    lines.slice(0, -2).map((line) => line.split(": ", 2) as [string, string]),
  );
  assert.equal(headers.get("Host"), "example.com:8080");
  assert.equal(headers.get("Upgrade"), "websocket");
  assert.equal(headers.get("Connection"), "Upgrade");
  assert.equal(headers.get("Sec-WebSocket-Version"), "13");
  assert.equal(Buffer.from(headers.get("Sec-WebSocket-Key")!, "base64").length, 16);
  assert.match(headers.get("Sec-WebSocket-Key")!, /^[A-Za-z0-9+/]{22}==$/);
});

test("UpgradeHandshakes.request() writes every kind of host and path", () => {
  const cases: [string, string, string][] = [
    ["ws://localhost:80", "/", "localhost"],
    ["ws://localhost:443", "/", "localhost:443"],
    ["wss://localhost:443/x", "/x", "localhost"],
    ["ws://[::1]:9", "/", "[::1]:9"],
    ["ws://:9", "/", "localhost:9"],
    ["ws://h?q", "/?q", "h:8080"],
    ["ws://h/a b/é€😀?x=%20", "/a%20b/%C3%A9%E2%82%AC%F0%9F%98%80?x=%20", "h:8080"],
    ["ws://h/\r\nX-Evil: 1", "/%0D%0AX-Evil:%201", "h:8080"],
  ];
  for (const [text, target, host] of cases) {
    const endpoint = text.includes("\r")
      ? { ...parseEndpoint("ws://h"), path: text.slice("ws://h".length) }
      : parseEndpoint(text);
    const lines = requestOf(new UpgradeHandshakes(endpoint, 1)).split("\r\n");
    assert.equal(lines[0], `GET ${target} HTTP/1.1`);
    assert.equal(lines[1], `Host: ${host}`);
    assert.equal(lines.length, 8);
  }
  assert.throws(() => new UpgradeHandshakes(parseEndpoint("ws://h/a#b"), 1), (error) => {
    return error instanceof UsageError && /%23/.test(error.message);
  });
});

test("UpgradeHandshakes.request() draws a fresh key for each connection", () => {
  const handshakes = new UpgradeHandshakes(parseEndpoint("ws://h"), 1000);
  const keys = new Set<string>();
  for (let id = 0; id < 1000; id++) {
    const key = keyOf(requestOf(handshakes, id));
    assert.equal(Buffer.from(key, "base64").toString("base64"), key);
    keys.add(key);
  }
  assert.equal(keys.size, 1000);
  // Each connection is checked against its own.
  const key = keyOf(requestOf(handshakes, 7));
  requestOf(handshakes, 8);
  assert.equal(typeof handshakes.receive(7, encode(response(accept(key)))), "number");
  assert.notEqual(typeof handshakes.receive(8, encode(response(accept(key)))), "number");
});

test("UpgradeHandshakes.receive() takes the response in pieces and says where it ends", () => {
  const { handshakes, accepted } = begun();
  const bytes = Buffer.from(`${response(accepted)}\x81\x02hi`, "latin1");
  const end = bytes.length - 4;
  assert.equal(handshakes.receive(0, bytes), end);
  for (let at = 1; at < bytes.length; at++) {
    handshakes.reset(0);
    const first = handshakes.receive(0, bytes.subarray(0, at));
    if (at >= end) assert.equal(first, end);
    else {
      assert.equal(first, undefined, `after ${at} bytes`);
      assert.equal(handshakes.receive(0, bytes.subarray(at)), end - at);
    }
  }
  handshakes.reset(0);
  for (let at = 0; at < end - 1; at++) {
    assert.equal(handshakes.receive(0, bytes.subarray(at, at + 1)), undefined);
  }
  assert.equal(handshakes.receive(0, bytes.subarray(end - 1)), 1);
});

test("UpgradeHandshakes.receive() does not mind the case and spacing of headers", () => {
  const { handshakes, accepted } = begun();
  const text = `HTTP/1.1 101\r\nUPGRADE:WebSocket\r\nconnection: keep-alive ,  upgrade \r\n` +
    `Server: x:y\r\nX-Empty:\r\nSec-Websocket-Accept:  ${accepted} \r\n\r\n`;
  assert.equal(handshakes.receive(0, encode(text)), text.length);
});

test("UpgradeHandshakes.receive() says why an answer is none", () => {
  const cases: [answer: (good: string) => string, kind: string, detail: RegExp][] = [
    [() => "HTTP/1.1 503 Service Unavailable\r\n\r\n", "refused", /HTTP\/1\.1 503 Service Unav/],
    [() => "HTTP/1.1 404 Not Found\r\nx: y\r\n\r\n", "protocol", /HTTP\/1\.1 404 Not Found/],
    [() => "HTTP/1.1 200 OK\r\n\r\nhello", "protocol", /HTTP\/1\.1 200 OK/],
    [() => "HTTP/1.1 301 Moved\r\nLocation: /x\r\n\r\n", "protocol", /301 Moved/],
    [() => "HTTP/1.1 1O1 x\r\n\r\n", "protocol", /not HTTP/],
    [() => "HTTP/1.0 101 x\r\n\r\n", "protocol", /not HTTP\/1\.1: "HTTP\/1\.0/],
    [() => "SSH-2.0-OpenSSH_9.6\r\n", "protocol", /not HTTP\/1\.1: "SSH-2/],
    [() => "\x00", "protocol", /not HTTP/],
    [(good) => good.replace("Upgrade: websocket\r\n", ""), "protocol", /Upgrade: websocket/],
    [(good) => good.replace("websocket", "h2c"), "protocol", /Upgrade: websocket/],
    [
      (good) => good.replace("Connection: Upgrade", "Connection: close"),
      "protocol",
      /Connection: Upgrade/,
    ],
    [(good) => good.replace(/Sec.*\r\n/, ""), "protocol", /no Sec-WebSocket-Accept/],
    [(good) => good.replace(/Accept: ./, "Accept: -"), "protocol", /wrong Sec-WebSocket-Accept/],
    [
      (good) =>
        good.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
      "protocol",
      /permessage-deflate.*not offered/,
    ],
    [
      (good) => good.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"),
      "protocol",
      /mqtt.*not offered/,
    ],
    [(good) => good.replace("\r\n\r\n", "\r\nno colon\r\n\r\n"), "protocol", /malformed header/],
    [() => `HTTP/1.1 101 x\r\n${"a: b\r\n".repeat(5000)}`, "protocol", /16384/],
    [() => `HTTP/1.1 101 x\r\n${"a: b\r\n".repeat(5000)}\r\n`, "protocol", /16384/],
  ];
  for (const [answer, kind, detail] of cases) {
    for (const isSplit of [false, true]) {
      const { handshakes, accepted } = begun();
      const bytes = encode(answer(response(accepted)));
      let result: ReturnType<UpgradeHandshakes["receive"]>;
      if (!isSplit) result = handshakes.receive(0, bytes);
      for (let at = 0; isSplit && at < bytes.length && result === undefined; at += 5) {
        result = handshakes.receive(0, bytes.subarray(at, at + 5));
      }
      assert.ok(typeof result === "object", String(detail));
      assert.equal(result.kind, kind);
      assert.match(result.detail, detail);
      assert.ok(!/[\r\n]/.test(result.detail), "one line");
    }
  }
});

test("UpgradeHandshakes.receive() never throws on random bytes and cut-off answers", () => {
  const random = seededRandom(5);
  for (let round = 0; round < 500; round++) {
    const { handshakes, accepted } = begun();
    const good = encode(response(accepted));
    const bytes = round % 2 === 0
      ? randomBytes(1 + Math.floor(random() * 400), random)
      : good.map((byte) => random() < 0.01 ? random() * 256 : byte);
    const cut = bytes.subarray(0, 1 + Math.floor(random() * bytes.length));
    const result = handshakes.receive(0, cut);
    assert.ok(result === undefined || typeof result === "number" || result.detail.length > 0);
  }
});

test("UpgradeHandshakes takes the subprotocol that it asked for and no other", () => {
  const answer = (chosen: string | undefined) => {
    const handshakes = new UpgradeHandshakes(parseEndpoint("ws://h"), 1, "wamp.2.cbor");
    const request = requestOf(handshakes);
    assert.match(request, /^Sec-WebSocket-Protocol: wamp\.2\.cbor\r$/m);
    const header = chosen === undefined ? "" : `Sec-WebSocket-Protocol: ${chosen}\r\n`;
    const text = response(accept(keyOf(request))).replace("\r\n\r\n", `\r\n${header}\r\n`);
    const result = handshakes.receive(0, encode(text));
    return typeof result === "number" ? result === text.length : result;
  };
  assert.equal(answer("wamp.2.cbor"), true);
  assert.match(JSON.stringify(answer(undefined)), /without the subprotocol wamp\.2\.cbor/);
  assert.match(JSON.stringify(answer("wamp.2.json")), /wamp\.2\.json.*which was not offered/);
});
