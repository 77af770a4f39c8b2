import { test } from "bun:test";
import assert from "node:assert/strict";
import { UsageError } from "../../lib/errors.ts";
import { formatEndpoint, parseEndpoint, schemes } from "../../lib/transport/endpoint.ts";

test("parseEndpoint() reads every part", () => {
  assert.deepEqual(parseEndpoint("tcp://10.0.0.5:4242"), {
    scheme: "tcp",
    host: "10.0.0.5",
    port: 4242,
    lastPort: 4242,
    path: "/",
  });
  assert.deepEqual(parseEndpoint("ws://[2001:db8::1]:80/chat?room=1"), {
    scheme: "ws",
    host: "2001:db8::1",
    port: 80,
    lastPort: 80,
    path: "/chat?room=1",
  });
  assert.deepEqual(parseEndpoint("quic://box:4433-4464"), {
    scheme: "quic",
    host: "box",
    port: 4433,
    lastPort: 4464,
    path: "/",
  });
  assert.equal(parseEndpoint("wss://box?x").path, "/?x");
  assert.equal(parseEndpoint("TCP://box:1").scheme, "tcp");
});

test("parseEndpoint() fills in the port of the transport, and takes an empty host", () => {
  const ports = { tcp: 4242, udp: 4242, tls: 4243, ws: 8080, wss: 8443, quic: 4433 };
  for (const scheme of schemes) {
    assert.equal(parseEndpoint(`${scheme}://box`).port, ports[scheme]);
    assert.equal(parseEndpoint(`${scheme}://`).host, "");
    assert.deepEqual(parseEndpoint(`${scheme}://:0`).port, 0);
  }
});

test("formatEndpoint() writes what parseEndpoint() reads", () => {
  for (
    const text of [
      "tcp://:4242",
      "tls://127.0.0.1:1",
      "udp://[::1]:65535",
      "ws://box:8080",
      "wss://box.example:8443/a/b?c=d",
      "quic://box:4433-4464",
      "quic://:0",
    ]
  ) {
    assert.equal(formatEndpoint(parseEndpoint(text)), text);
  }
});

test("parseEndpoint() says what is wrong, in one line", () => {
  const cases: [string, RegExp][] = [
    ["", /scheme:\/\/host:port/],
    ["box:4242", /scheme:\/\/host:port/],
    ["http://box:80", /unknown scheme "http".*tcp, tls/],
    ["tcp://box:65536", /port "65536".*0 to 65535/],
    ["tcp://box:-1", /port/],
    ["tcp://box:", /port ""/],
    ["tcp://box:4 2", /port "4 2"/],
    ["tcp://box:1e3", /port "1e3"/],
    ["tcp://::1:4242", /scheme:\/\/host:port|port/],
    ["tcp://box:1-2", /only quic/],
    ["quic://box:9-2", /first ≤ last/],
    ["quic://box:1-2-3", /first-last/],
    ["quic://box:0-5", /first-last/],
    ["tcp://box:1/path", /path "\/path"/],
    ["udp://box:1?x", /only ws and wss/],
  ];
  for (const [text, pattern] of cases) {
    assert.throws(() => parseEndpoint(text), (error) => {
      assert.ok(error instanceof UsageError, `${text}: ${error}`);
      assert.match(error.message, pattern);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  }
});

test("parseEndpoint() answers random text with an endpoint or a UsageError", () => {
  const alphabet = "tcpudwsqi:/[]-?.0123456789é \n%@#";
  for (let round = 0; round < 5000; round++) {
    const bytes = crypto.getRandomValues(new Uint8Array(1 + (round % 30)));
    const text = [...bytes].map((byte) => alphabet[byte % alphabet.length]).join("");
    try {
      const endpoint = parseEndpoint(text);
      assert.deepEqual(parseEndpoint(formatEndpoint(endpoint)), endpoint);
    } catch (error) {
      assert.ok(error instanceof UsageError, `${JSON.stringify(text)}: ${error}`);
    }
  }
});
