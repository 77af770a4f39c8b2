import { test } from "bun:test";
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileError, UsageError } from "../../../lib/errors.ts";
import { readClientConfig } from "../../../lib/wamp/transport/client_config.ts";
import { formatClientUrl, parseClientUrl } from "../../../lib/wamp/transport/client_url.ts";
import { targetsOf } from "../../../lib/wamp/transport/targets.ts";

function withFile<T>(text: string, use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-wamp-config-"));
  try {
    const path = join(folder, "client.ini");
    writeFileSync(path, text);
    return use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const urlsIn = (text: string) =>
  withFile(text, (path) => readClientConfig(path).map(formatClientUrl));

test("readClientConfig() reads the client.ini of Crossbar's example", () => {
  const text =
    "[edge1]\nurl=ws://localhost:8081\n\n; a remark\n[edge2]\r\nURL : rs://[::1]:5082\r\n";
  assert.deepEqual(urlsIn(text), ["ws://localhost:8081", "rs://[::1]:5082"]);
});

test("readClientConfig() reads the same as JSON", () => {
  const text = JSON.stringify({
    edge1: { url: "wss://h:1/ws" },
    other: {},
    edge2: { url: "rs://h:2" },
  });
  assert.deepEqual(urlsIn(text), ["wss://h:1/ws", "rs://h:2"]);
});

test("readClientConfig() says where a file is wrong", () => {
  const wrong: [string, RegExp][] = [
    ["", /names no router/],
    ["[a]\n", /names no router/],
    ["url=ws://h\n", /line 1: "url=ws:\/\/h" is neither/],
    ["[a]\nurl=tcp://h:1\n", /line 2: "tcp:\/\/h:1" is no URL of a WAMP router/],
    ["{", /is not JSON/],
    ['{"a": {"url": 5}}', /"a": the url is 5/],
  ];
  for (const [text, message] of wrong) {
    assert.throws(
      () => urlsIn(text),
      (error) => error instanceof FileError && message.test(error.message),
    );
  }
  assert.throws(() => readClientConfig("/nowhere/client.ini"), FileError);
});

test("parseClientUrl() takes websockets and rawsockets", () => {
  for (
    const text of ["ws://h:80/ws", "wss://h:81", "rs://127.0.0.1:5081", "RS://h:1", "rss://[::1]:9"]
  ) {
    assert.equal(formatClientUrl(parseClientUrl(text)), text.toLowerCase());
  }
  assert.equal(formatClientUrl(parseClientUrl("rs://h")), "rs://h:8080");
  assert.equal(formatClientUrl(parseClientUrl("rss://h")), "rss://h:8443");
  for (
    const text of [
      "h:80",
      "rss://h:1/x",
      "http://h",
      "rs://h:1/path",
      "rs://h:0",
      "tcp://h:1",
      "ws://h:0/",
    ]
  ) {
    assert.throws(() => parseClientUrl(text), UsageError, text);
  }
});

test("targetsOf() wants a router, and no batches on a rawsocket", () => {
  const settings = { urls: ["rs://h:1"], configFile: undefined, batched: false };
  assert.equal(targetsOf(settings).length, 1);
  assert.throws(() => targetsOf({ ...settings, urls: [] }), /no router is given/);
  assert.throws(() => targetsOf({ ...settings, batched: true }), /subprotocol of WebSockets/);
});
